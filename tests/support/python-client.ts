import { PYTHON_DIRECTORY, pytasksEnvironment, pythonProgram, type PytasksSettings } from './python.js'
import { startProcess } from './start-process.js'

/** A message as a Python producer gives it to `app.send_task`; options have Python's names. */
export interface PythonCall {
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  /** Of `apply_async`; `eta` and `expires` may be ISO 8601 texts and become datetimes. */
  readonly options?: Readonly<Record<string, unknown>>
}

/** Thrown when Python raised. */
export class PythonError extends Error {
  override readonly name = 'PythonError'
  /** The name of the exception's class. */
  readonly type: string
  /** The exception's own arguments, as far as JSON can carry them. */
  readonly args: readonly unknown[]

  constructor({ type, message, args }: PythonFault) {
    super(`${type}: ${message}`)
    this.type = type
    this.args = args
  }
}

/** A Python producer with the app of pytasks.py. Requests may overlap. */
export interface PythonClient extends AsyncDisposable {
  /** `app.send_task(name, args, kwargs, **options)`. Returns the task's id. */
  send(name: string, call?: PythonCall): Promise<string>
  /**
   * `AsyncResult(id).get()`, as a Python caller would see it.
   *
   * @param timeoutSeconds - @default 30
   * @throws {@link PythonError} with what the task raised.
   */
  get(taskId: string, timeoutSeconds?: number): Promise<unknown>
  /**
   * Evaluate an expression, or run statements that leave a `result`. In scope are the tasks of pytasks.py by their
   * last names, `app`, `pytasks`, `celery`, `chain`, `group`, `chord`, `signature`, `AsyncResult`, `GroupResult`.
   * What JSON cannot carry arrives as its repr.
   */
  evaluate(code: string): Promise<unknown>
  stop(): Promise<void>
}

interface PythonFault {
  readonly type: string
  readonly message: string
  readonly args: readonly unknown[]
}

type Answer =
  { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: PythonFault }

/** Start a Python producer; killed when the test ends. */
export function startPythonClient(settings: PytasksSettings): PythonClient {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let lastId = 0

  const client = startProcess(pythonProgram(settings.python), ['client.py'], {
    cwd: PYTHON_DIRECTORY,
    env: pytasksEnvironment(settings),
    onStdoutLine(line) {
      const answer = JSON.parse(line) as Answer
      const request = waiting.get(answer.id)
      waiting.delete(answer.id)
      if ('error' in answer) request?.reject(new PythonError(answer.error))
      else request?.resolve(answer.value)
    },
  })
  void client.exit.then(() => {
    const error = new Error(`the Python client ended; it printed:\n${client.output()}`)
    for (const request of waiting.values()) request.reject(error)
  })

  const ask = (request: Readonly<Record<string, unknown>>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      lastId += 1
      waiting.set(lastId, { resolve, reject })
      client.write(`${JSON.stringify({ id: lastId, ...request })}\n`)
    })
  const stop = async (): Promise<void> => {
    await client.kill()
  }
  return {
    send: async (name, call = {}) => (await ask({ do: 'send', name, ...call })) as string,
    get: (taskId, timeoutSeconds = 30) => ask({ do: 'get', task_id: taskId, timeout: timeoutSeconds }),
    evaluate: (code) => ask({ do: 'evaluate', code }),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
