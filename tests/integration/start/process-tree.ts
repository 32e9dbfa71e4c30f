import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { atTestEnd } from '../../support/at-test-end.js'
import { freePort } from '../../support/free-port.js'
import { startProcess, type RunningProcess } from '../../support/start-process.js'
import { tempDir } from '../../support/temp-dir.js'

export interface ServiceProcess {
  readonly process: RunningProcess
  readonly directory: string
  /** Of the API, as it is told to listen. */
  readonly url: string
  /** All that run in its folder, by the names of their programs: `worker.js`, `redis-server`. */
  readonly running: () => ReadonlyMap<string, number>
}

export interface StartOptions {
  /** The program in `dist/`. */
  readonly program: 'start' | 'server'
  readonly env?: Readonly<Record<string, string>>
  /** @default a fresh one */
  readonly directory?: string
  /** What is on the PATH as `redis-server`. @default nothing */
  readonly redisServer?: string
}

/** Start a program of the service in a folder of its own, with nothing on its PATH but what is asked for. */
export async function startService(options: StartOptions): Promise<ServiceProcess> {
  const { program, env = {}, redisServer } = options
  const directory = options.directory ?? (await tempDir())
  const bin = path.join(await tempDir(), 'bin')
  await mkdir(bin)
  if (redisServer !== undefined) await symlink(redisServer, path.join(bin, 'redis-server'))
  const port = await freePort()
  const file = fileURLToPath(new URL(`../../../dist/${program}.js`, import.meta.url))
  const started = startProcess(process.execPath, [file], {
    cwd: directory,
    env: { PATH: bin, PORT: String(port), ...env },
  })
  const running = (): ReadonlyMap<string, number> => processesIn(directory)
  // They are in process groups of their own, so that the end of a failed test does not reach them.
  atTestEnd(() => {
    for (const pid of running().values()) process.kill(pid, 'SIGKILL')
  })
  return { process: started, directory, url: `http://127.0.0.1:${port}`, running }
}

/** Processes whose working directory is `directory` or within, as Linux tells; none elsewhere. */
export function processesIn(directory: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const entry of read('/proc', (folder) => readdirSync(folder))) {
    if (!/^\d+$/.test(entry)) continue
    const [cwd = ''] = read(`/proc/${entry}/cwd`, (link) => [readlinkSync(link)])
    if (cwd !== directory && !cwd.startsWith(directory + path.sep)) continue
    const words = read(`/proc/${entry}/cmdline`, (file) => readFileSync(file, 'utf8').split('\0'))
    // Redis writes its address into its title, and Node.js programs stand behind their options.
    const name = words.find((word) => /\/dist\/[\w-]+\.js$/.test(word)) ?? words[0]?.split(' ')[0] ?? ''
    if (name !== '') found.set(path.basename(name), Number(entry))
  }
  return found
}

function read<T>(file: string, how: (file: string) => T[]): T[] {
  try {
    return how(file)
  } catch {
    return []
  }
}
