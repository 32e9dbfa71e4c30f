import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { atTestEnd } from './at-test-end.js'

export interface StartProcessOptions {
  /** Added to PATH, HOME and TMPDIR; nothing else is inherited, so that no setting of the developer's leaks in. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Called with every line of standard output, without its end. */
  readonly onStdoutLine?: (line: string) => void
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process, and with it all that it starts: signals of {@link RunningProcess.kill} reach the whole group. */
export interface RunningProcess extends AsyncDisposable {
  readonly pid: number
  /** Settles when the process has ended. */
  readonly exit: Promise<Exit>
  /** Settles when all that it printed has been read, which may be after its exit. */
  readonly drained: Promise<void>
  /** Everything printed so far, standard output and error as they came. */
  output(): string
  /**
   * The first line that matches, printed already or to come.
   *
   * @param timeoutMs - Milliseconds to wait at most; Infinity: as long as the process runs. @default 20000
   * @throws When the process ends or the time is over first; the message carries what was printed.
   */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>
  /** Write to its standard input. */
  write(text: string): void
  /** Send a signal to the process alone. */
  signal(signal: NodeJS.Signals): void
  /** Ask it to end (SIGTERM) and wait until it has; after `graceMs` (default 10000) it is killed and this throws. */
  stop(graceMs?: number): Promise<Exit>
  /** SIGKILL to the whole group, at once. */
  kill(): Promise<Exit>
}

/** Start a program. It is killed when the test ends, if it still runs then. */
export function startProcess(
  command: string,
  args: readonly string[],
  { env = {}, cwd, onStdoutLine }: StartProcessOptions = {},
): RunningProcess {
  const child = spawn(command, args, {
    env: { ...inherited(), ...env },
    cwd,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const watchers = new Set<() => void>()
  const notify = (): void => watchers.forEach((watcher) => watcher())
  const read = (stream: NodeJS.ReadableStream, onLine?: (line: string) => void): Promise<unknown> => {
    const reader = createInterface({ input: stream })
    reader.on('line', (line) => {
      lines.push(line)
      onLine?.(line)
      notify()
    })
    return once(reader, 'close')
  }
  const drained = Promise.all([read(child.stdout, onStdoutLine), read(child.stderr)]).then(() => undefined)

  let ended: Exit | undefined
  const exit = new Promise<Exit>((resolve) => {
    const settle = (result: Exit): void => {
      ended = result
      notify()
      resolve(result)
    }
    child.once('error', (error) => {
      lines.push(error.message)
      settle({ code: null, signal: null })
    })
    child.once('exit', (code, signal) => settle({ code, signal }))
  })
  // A process that dies while it is written to says so by its exit.
  child.stdin.on('error', () => undefined)

  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // Nobody of the group is left.
    }
  }
  // Detached processes outlive a test run that is interrupted, unless they are taken along.
  process.once('exit', killGroup)
  void exit.then(() => process.off('exit', killGroup))

  const output = (): string => lines.join('\n')
  const shown = [command, ...args].join(' ')

  const running: RunningProcess = {
    pid: child.pid ?? -1,
    exit,
    drained,
    output,
    waitForLine(pattern, timeoutMs = 20_000) {
      return new Promise((resolve, reject) => {
        let seen = 0
        const fail = (why: string): void => {
          finish()
          reject(new Error(`${shown} ${why} before it printed ${pattern}; it printed:\n${output()}`))
        }
        const look = (): void => {
          for (; seen < lines.length; seen += 1) {
            const match = lines[seen]?.match(pattern) ?? undefined
            if (match === undefined) continue
            finish()
            return resolve(match)
          }
          // The last lines may be read after the exit is known.
          if (ended !== undefined) void drained.then(() => seen === lines.length && fail('ended'))
        }
        const isLimited = timeoutMs !== Infinity
        const timer = isLimited ? setTimeout(() => fail(`ran ${timeoutMs} ms`), timeoutMs) : undefined
        const finish = (): void => {
          clearTimeout(timer)
          watchers.delete(look)
        }
        watchers.add(look)
        look()
      })
    },
    write: (text) => void child.stdin.write(text),
    signal: (signal) => void child.kill(signal),
    async stop(graceMs = 10_000) {
      child.kill('SIGTERM')
      const timer = setTimeout(killGroup, graceMs)
      const result = await exit
      clearTimeout(timer)
      if (result.signal === 'SIGKILL') throw new Error(`${shown} did not stop; it printed:\n${output()}`)
      return result
    },
    async kill() {
      killGroup()
      return exit
    },
    async [Symbol.asyncDispose]() {
      await running.kill()
    },
  }
  atTestEnd(async () => {
    await running.kill()
  })
  return running
}

function inherited(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR']
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
}
