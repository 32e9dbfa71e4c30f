import { fileURLToPath } from 'node:url'
import { startProcess, type RunningProcess } from '../../support/start-process.js'
import { tempDir } from '../../support/temp-dir.js'

export const CLI = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

/** The path of a module in `apps/`. */
export function appModule(name: string): string {
  return fileURLToPath(new URL(`apps/${name}`, import.meta.url))
}

export interface LovageOptions {
  readonly env?: Readonly<Record<string, string>>
  /** What it reads on standard input. @default nothing */
  readonly input?: string
  /** @default a fresh folder, so that no `.env` is read */
  readonly directory?: string
  readonly onStdoutLine?: (line: string) => void
}

/** Start the command; for those that keep running. */
export async function startLovage(
  args: readonly string[],
  options: LovageOptions = {},
): Promise<RunningProcess> {
  const { env = {}, onStdoutLine } = options
  return startProcess(process.execPath, [CLI, ...args], {
    cwd: options.directory ?? (await tempDir()),
    env,
    ...(onStdoutLine === undefined ? {} : { onStdoutLine }),
  })
}

export interface Finished {
  readonly code: number | null
  /** Lines of standard output. */
  readonly stdout: readonly string[]
  /** Lines of both, as they came. */
  readonly output: readonly string[]
}

/** Run the command to its end. */
export async function lovage(args: readonly string[], options: LovageOptions = {}): Promise<Finished> {
  const stdout: string[] = []
  const started = await startLovage(args, { ...options, onStdoutLine: (line) => stdout.push(line) })
  if (options.input !== undefined) started.write(options.input)
  const { code } = await started.exit
  await started.drained
  return { code, stdout, output: started.output().split('\n') }
}
