import path from 'node:path'
import { startProcess } from './start-process.js'

/** Where pytasks.py and its companions are. */
export const PYTHON_DIRECTORY = path.resolve(import.meta.dirname, '../interop/python')

/** The Celery of a Python program: where it connects to and how it is set. */
export interface PytasksSettings {
  /** Broker URL in Celery's own notation. */
  readonly broker: string
  /** @default the broker */
  readonly backend?: string
  /** Further Celery settings by their Python names, such as `result_expires` or `broker_transport_options`. */
  readonly conf?: Readonly<Record<string, unknown>>
  /** The interpreter; see celery-generations.ts. @default CELERY_PYTHON */
  readonly python?: string
  readonly extraEnv?: Readonly<Record<string, string>>
}

export function pythonProgram(python: string | undefined): string {
  const program = python ?? process.env.CELERY_PYTHON
  if (program === undefined) throw new Error('CELERY_PYTHON is not set: is this test in tests/interop?')
  return program
}

/** The environment that pytasks.py reads. */
export function pytasksEnvironment(settings: PytasksSettings): Record<string, string> {
  return {
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    PYTASKS_BROKER: settings.broker,
    PYTASKS_BACKEND: settings.backend ?? settings.broker,
    PYTASKS_CONF: JSON.stringify(settings.conf ?? {}),
    ...settings.extraEnv,
  }
}

export interface PythonResult {
  readonly code: number | null
  readonly stdout: string
  /** Standard output and error as they came. */
  readonly output: string
}

/**
 * Run a Python program to its end, in the directory of pytasks.py: `runPython(['-m', 'celery', …], settings)`,
 * `runPython(['-c', 'print(1)'], settings)`.
 */
export async function runPython(args: readonly string[], settings: PytasksSettings): Promise<PythonResult> {
  const lines: string[] = []
  const running = startProcess(pythonProgram(settings.python), args, {
    cwd: PYTHON_DIRECTORY,
    env: pytasksEnvironment(settings),
    onStdoutLine: (line) => lines.push(line),
  })
  const { code } = await running.exit
  await running.drained
  return { code, stdout: lines.join('\n'), output: running.output() }
}
