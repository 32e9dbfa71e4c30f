import { execFile } from 'node:child_process'
import { setPriority } from 'node:os'

/** What a command left behind; `code` is -1 where it could not be started or was killed. */
export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Milliseconds until the command is killed. @default 300000 */
  readonly timeoutMs?: number
  /** Of the command and all that it starts, as of `os.setPriority`. @default that of this process */
  readonly priority?: number
}

/** Run a command to its end, without a shell and without input. Never rejects: failing is an answer here. */
export function runCommand(
  command: string,
  args: readonly string[],
  { cwd, env, timeoutMs = 300_000, priority }: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = { cwd, env, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 }
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve({ code: 0, stdout, stderr })
      const code = typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr: code === -1 ? `${stderr}${error.message}` : stderr })
    })
    if (priority !== undefined && child.pid !== undefined) setPriority(child.pid, priority)
    child.stdin?.end()
  })
}

/** The last line that says anything: what a failed command is remembered by. */
export function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? ''
}
