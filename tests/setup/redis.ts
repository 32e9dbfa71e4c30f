import { existsSync } from 'node:fs'
import { access, chmod, constants, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { unpackPackages } from './debian-packages.js'
import type { Obtained } from './obtained.js'
import { runCommand } from './run-command.js'

/** Where a server unpacked from the system's packages is kept between runs. */
const UNPACKED = path.resolve('.cache/redis')
const SERVER_NAMES = ['redis-server', 'valkey-server']

/**
 * Find what the tests need of Redis: `TEST_REDIS_URL`, a server on the PATH, Testcontainers, the system's packages.
 *
 * Most tests start, restart and kill servers of their own and need the program (`REDIS_SERVER_BIN`). A server that
 * is merely reachable (`TEST_REDIS_URL`, Testcontainers) serves the others under a key prefix; the program is looked
 * for beside it. Where there is none, `TEST_WITHOUT_REDIS_SERVER` says why, and the tests that need it are skipped.
 */
export async function obtainRedis(): Promise<Obtained> {
  const given = process.env.TEST_REDIS_URL
  if (given !== undefined && given !== '') {
    return withProgram({ line: `${withoutPassword(given)} from TEST_REDIS_URL`, env: {} })
  }

  const installed = await findOnPath()
  if (installed !== undefined) return { line: await describe(installed, 'the PATH'), env: found(installed) }

  const container = await startContainer()
  return container === undefined ? unpacked() : withProgram(container)
}

/** The program by itself, next to a server that is reachable already. */
async function withProgram(shared: Obtained): Promise<Obtained> {
  const installed = await findOnPath()
  const program =
    installed === undefined
      ? await unpacked()
      : { line: await describe(installed, 'the PATH'), env: found(installed) }
  return {
    ...shared,
    line: `${shared.line}; to start servers: ${program.line}`,
    env: { ...shared.env, ...program.env },
  }
}

/** `REDIS_SERVER_BIN` where it is set, else the first server program on the PATH. */
async function findOnPath(): Promise<string | undefined> {
  const chosen = process.env.REDIS_SERVER_BIN
  if (chosen !== undefined && chosen !== '') return chosen
  const directories = (process.env.PATH ?? '').split(path.delimiter).filter((directory) => directory !== '')
  for (const name of SERVER_NAMES) {
    for (const directory of directories) {
      const file = path.join(directory, name)
      if (await isExecutable(file)) return file
    }
  }
  return undefined
}

/** The newest 7 in a container, where a Docker engine answers. */
async function startContainer(): Promise<Obtained | undefined> {
  const engine = await runCommand('docker', ['info', '--format', '{{.ServerVersion}}'], { timeoutMs: 5_000 })
  if (engine.code !== 0) return undefined
  try {
    const { GenericContainer } = await import('testcontainers')
    const container = await new GenericContainer('redis:7-alpine').withExposedPorts(6379).start()
    const url = `redis://${container.getHost()}:${container.getMappedPort(6379)}/0`
    return {
      line: `redis:7-alpine by Testcontainers (${url})`,
      env: { TEST_REDIS_URL: url },
      release: async () => {
        await container.stop()
      },
    }
  } catch {
    // An engine that answers may still be unable to fetch the image; the packages are the next way.
    return undefined
  }
}

async function unpacked(): Promise<Obtained> {
  const program = path.join(UNPACKED, 'redis-server')
  try {
    if (!(await answers(program))) await unpackServer(program)
    return { line: await describe(program, "the system's packages"), env: found(program) }
  } catch (error) {
    const reason = `no redis-server on the PATH, no Docker engine, and ${(error as Error).message}`
    return { line: `NOT AVAILABLE: ${reason}`, env: { TEST_WITHOUT_REDIS_SERVER: reason } }
  }
}

/** A script at `program` that runs the unpacked server with the libraries unpacked beside it. */
async function unpackServer(program: string): Promise<void> {
  const root = await unpackPackages(['redis-server'], UNPACKED)
  const libraries: string[] = []
  for (const directory of ['usr/lib', 'lib'].map((name) => path.join(root, name))) {
    if (!existsSync(directory)) continue
    const triplets = (await readdir(directory)).filter((name) => name.includes('-linux-'))
    libraries.push(directory, ...triplets.map((name) => path.join(directory, name)))
  }
  const script = [
    '#!/bin/sh',
    `export LD_LIBRARY_PATH='${libraries.join(':')}'`,
    `exec '${path.join(root, 'usr/bin/redis-server')}' "$@"`,
    '',
  ]
  await writeFile(program, script.join('\n'))
  await chmod(program, 0o755)
  if (!(await answers(program))) throw new Error('the redis-server of the packages does not run here')
}

const found = (program: string): Record<string, string> => ({ REDIS_SERVER_BIN: program })

/** `7.0.15 from the PATH (/usr/bin/redis-server)` */
async function describe(program: string, source: string): Promise<string> {
  const { stdout } = await runCommand(program, ['--version'])
  const version = /v=(\S+)/.exec(stdout)?.[1] ?? 'unknown version'
  const relative = path.relative('', program)
  return `${version} from ${source} (${relative.startsWith('..') ? program : relative})`
}

async function answers(program: string): Promise<boolean> {
  return (await runCommand(program, ['--version'], { timeoutMs: 10_000 })).code === 0
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@')
}
