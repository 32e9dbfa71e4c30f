import { TaskError, type Celery, type TaskContext, type TaskRequest } from '../../../../src/index.js'
import type { Redis } from 'ioredis'

interface Kwargs {
  readonly run?: string
  readonly label?: string
  readonly times?: number
  readonly limit?: number
  readonly by?: object
}

/** The tasks of tests/interop/python/canvas_matrix.py. */
export function registerMatrixTasks(app: Celery, notes: Redis): void {
  const note = async (run: string, entry: object): Promise<void> => {
    await notes.rpush(run, JSON.stringify({ ...entry, by: 'lovage' }))
  }
  const trace = async (
    { request }: TaskContext,
    args: readonly unknown[],
    { run, label }: Kwargs,
  ): Promise<void> => {
    if (run === undefined) return
    const { id, rootId: root, parentId: parent = null, group = null, retries } = request
    await note(run, { label, args, retries, id, root, parent, group })
  }
  const register = (
    name: string,
    fn: (task: TaskContext, args: readonly unknown[], kwargs: Kwargs) => unknown,
    options: { readonly ignoreResult?: boolean } = {},
  ): void => {
    app.task(
      `matrix.${name}`,
      { ...options, bind: true, kwargs: true },
      async (task, ...given: unknown[]) => {
        const kwargs = given.pop() as Kwargs
        await trace(task, given, kwargs)
        return fn(task, given, kwargs)
      },
    )
  }

  register('sum', (_, args) => total(args))
  register('list', (_, args) => args)
  register('ignored', (_, args) => total(args), { ignoreResult: true })
  register('fail', (_, args) => {
    throw valueError('no', ...args)
  })
  register('retry', (task, args, { times = 0, limit = 0 }) => {
    if (task.request.retries < times)
      throw task.retry({ countdown: 0, cause: valueError('again'), maxRetries: limit })
    return total(args)
  })
  register('replace', (task, _, { by = {} }) => {
    throw task.replace(app.signature(by))
  })
  register('extend', async (task, args, { by = {} }) => {
    await task.addToChord(app.signature(by))
    return total(args)
  })
  register('told_id', () => null)
  app.task(
    'matrix.told_error',
    { argNames: ['request', 'error', 'traceback', 'run', 'label'] },
    async (request: TaskRequest, error: unknown, _traceback: string, run: string, label: string) => {
      const nobody = { retries: 0, id: null, root: null, parent: null, group: null }
      await note(run, { label, args: [request.id, ...described(error)], ...nobody })
    },
  )
}

function valueError(...excMessage: readonly unknown[]): TaskError {
  return new TaskError({ excType: 'ValueError', excModule: 'builtins', excMessage })
}

/** What was thrown here, or an exception object of what failed elsewhere. */
function described(error: unknown): unknown[] {
  if (error instanceof TaskError) return [error.excType, ...error.excMessage]
  const { exc_type: type, exc_message: args } = error as {
    readonly exc_type?: string
    readonly exc_message?: readonly unknown[]
  }
  return type === undefined ? [String(error)] : [type, ...(args ?? [])]
}

function total(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, each) => sum + total(each), 0)
  return typeof value === 'number' ? value : 0
}
