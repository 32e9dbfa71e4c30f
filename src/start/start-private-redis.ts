import { z } from 'zod'
import { startChild, type ChildProcess } from './child-process.js'

export interface PrivateRedis {
  readonly url: string
  readonly process: ChildProcess
  /** Ask the server to end, and wait until it has. */
  stop(): Promise<void>
}

const DIRECTORY = '.lovage/redis'
const ready = z.object({ port: z.int(), pid: z.int() })

/**
 * Start a Redis of the developer's own, with its data under `.lovage/`, that only this machine can reach. It ends
 * with this process, however that dies.
 *
 * @param program - `redis-server` or `valkey-server`.
 * @returns undefined where it ended before it took connections; its own lines say why.
 */
export async function startPrivateRedis(
  program: string,
  onLine: (name: string, line: string) => void,
): Promise<PrivateRedis | undefined> {
  const child = startChild({
    name: 'redis',
    entry: new URL('../private-redis.js', import.meta.url),
    args: [program, DIRECTORY],
    env: process.env,
    onLine,
  })
  const first = await Promise.race([child.nextMessage(), child.ended])
  const parsed = ready.safeParse(first)
  if (!parsed.success) return undefined
  const { port, pid } = parsed.data
  // Its keeper may be killed; the server would live on.
  void child.ended.then(() => endProcess(pid))
  return {
    url: `redis://127.0.0.1:${port}/0`,
    process: child,
    async stop() {
      child.signal('SIGTERM')
      await child.ended
    },
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM')
  } catch {
    // It has ended already.
  }
}
