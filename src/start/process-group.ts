import { startChild, type ChildProcess } from './child-process.js'

/** One of the processes has ended although nobody had asked it to. */
export interface UnexpectedEnd {
  readonly name: string
  readonly how: string
}

export interface ProcessGroup {
  readonly server: ChildProcess
  /** Resolves when the first of them ends. */
  readonly firstEnd: Promise<UnexpectedEnd>
  /** Ask all to end and wait until they have; after `graceMs` they are killed. */
  stop(graceMs?: number): Promise<void>
  kill(): void
}

/** Longer than a worker lets its tasks finish by default (`workerShutdownTimeout`, 25 s). */
const GRACE_MS = 30_000

/** Start API, worker and beat, each in a process of its own. */
export function startProcessGroup(
  env: NodeJS.ProcessEnv,
  onLine: (name: string, line: string) => void,
): ProcessGroup {
  const preload = [new URL('./watch-parent.js', import.meta.url)]
  const start = (name: string): ChildProcess =>
    startChild({ name, entry: new URL(`../${name}.js`, import.meta.url), preload, env, onLine })
  const server = start('server')
  const children = [server, start('worker'), start('beat')]
  const signalAll = (signal: NodeJS.Signals): void => children.forEach((child) => child.signal(signal))
  return {
    server,
    firstEnd: Promise.race(children.map(async ({ name, ended }) => ({ name, how: await ended }))),
    async stop(graceMs = GRACE_MS) {
      signalAll('SIGTERM')
      const timer = setTimeout(() => signalAll('SIGKILL'), graceMs)
      await Promise.all(children.map(({ ended }) => ended))
      clearTimeout(timer)
    },
    kill: () => signalAll('SIGKILL'),
  }
}
