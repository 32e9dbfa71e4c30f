import { once } from 'node:events'
import { spawn, type ChildProcess as Spawned } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A process that was started, and whose end is waited for. */
export interface ChildProcess {
  readonly name: string
  /** The next thing it sends over its channel; waits for ever where nothing comes. */
  nextMessage(): Promise<unknown>
  /** How it ended, for people: `exit code 1`, `SIGKILL`. Never rejects. */
  readonly ended: Promise<string>
  signal(signal: NodeJS.Signals): void
}

export interface StartChildOptions {
  readonly name: string
  /** The program's module. */
  readonly entry: URL
  readonly args?: readonly string[]
  /** Modules to load before it. */
  readonly preload?: readonly URL[]
  readonly env: NodeJS.ProcessEnv
  /** Called with every line it prints. */
  readonly onLine: (name: string, line: string) => void
}

/**
 * Start a Node.js process with a channel to this one, by which it notices when this one dies.
 *
 * It is in a process group of its own, so that Ctrl-C in the terminal reaches this process alone, which stops the
 * others in their order.
 */
export function startChild({
  name,
  entry,
  args = [],
  preload = [],
  env,
  onLine,
}: StartChildOptions): ChildProcess {
  const imports = preload.flatMap((module) => ['--import', module.href])
  const child = spawn(process.execPath, [...imports, entry.pathname, ...args], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const printed = [child.stdout, child.stderr].map((stream) => {
    const lines = createInterface({ input: stream as NodeJS.ReadableStream })
    lines.on('line', (line) => onLine(name, line))
    return once(lines, 'close')
  })
  const ended = endOf(child).then(async (how) => {
    await Promise.all(printed)
    return how
  })
  return {
    name,
    nextMessage: () => new Promise((resolve) => child.once('message', resolve)),
    ended,
    signal: (signal) => void child.kill(signal),
  }
}

function endOf(child: Spawned): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
}
