import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PROJECT } from './code-blocks.js'
import { freePort } from './free-port.js'
import { startProcess, type RunningProcess } from './start-process.js'

/** What `npm start` runs, in a folder that looks like a fresh clone to whoever follows the documents. */
export interface DocumentedService {
  readonly process: RunningProcess
  readonly directory: string
  /** A text in which the documents' addresses are replaced by those of this service. */
  localized(text: string): string
  /** What its commands need besides: a PATH on which `lovage` is. */
  readonly env: Readonly<Record<string, string>>
}

/**
 * @param directory - an empty one, which the caller removes.
 * @param redisServer - the program that the service finds as `redis-server`.
 */
export async function startDocumentedService(
  directory: string,
  redisServer: string,
): Promise<DocumentedService> {
  const bin = path.join(directory, 'bin')
  const modules = path.join(directory, 'node_modules')
  await mkdir(bin)
  await mkdir(modules)
  await symlink(redisServer, path.join(bin, 'redis-server'))
  const command = `#!/bin/sh\nexec '${process.execPath}' '${path.join(PROJECT, 'dist/cli/main.js')}' "$@"\n`
  await writeFile(path.join(bin, 'lovage'), command, { mode: 0o755 })
  await symlink(PROJECT, path.join(modules, 'lovage'))
  await symlink(path.join(PROJECT, 'node_modules/zod'), path.join(modules, 'zod'))
  await cp(path.join(PROJECT, 'data'), path.join(directory, 'data'), { recursive: true })
  await writeFile(path.join(directory, 'package.json'), '{"type": "module"}')

  const port = await freePort()
  const running = startProcess(process.execPath, [path.join(PROJECT, 'dist/start.js')], {
    cwd: directory,
    env: { PATH: bin, PORT: String(port) },
  })
  const [, redis = ''] = await running.waitForLine(/broker +(redis:\S+)$/)
  await running.waitForLine(/worker \| .*ready\./)
  return {
    process: running,
    directory,
    localized: (text) =>
      text.replaceAll('127.0.0.1:8000', `127.0.0.1:${port}`).replaceAll('redis://127.0.0.1:6379/0', redis),
    env: { PATH: `${bin}:${process.env.PATH ?? ''}` },
  }
}
