import { NotRegistered } from '../app/outcomes.js'
import { chordData, isList, readSignatureData } from '../canvas/signature-data.js'
import { chunksData } from '../canvas/map.js'
import { noteChild } from '../results/running-task.js'
import { startedTuple, tupleOf } from '../canvas/result-tree.js'
import type { PartialCall } from '../canvas/signature-types.js'
import type { PrepareCanvas } from '../app/apply-canvas.js'
import type { RegisteredTask, TaskLookup } from '../app/registered-task.js'
import type { ResultTuple } from '../serialization/result-tuple.js'
import type { TaskContext } from '../app/task-context.js'

interface BuiltinParts {
  readonly tasks: TaskLookup
  readonly prepareCanvas: PrepareCanvas
}

type Kwargs = Readonly<Record<string, unknown>>
type Context = () => TaskContext

/**
 * The tasks of an app, and those that every Celery worker has (wire protocol, section 12.7): others send them without
 * asking. A task of the app's own may take the name of one.
 */
export function withBuiltins({ tasks, prepareCanvas }: BuiltinParts): TaskLookup {
  const calls = (kwargs: Kwargs, context: Context): ((args: readonly unknown[]) => unknown) => {
    const { task: name, args, kwargs: own } = readSignatureData(kwargs['task'], 'the task of a map')
    const task = tasks.get(name)
    if (task === undefined) throw new NotRegistered(`no task ${JSON.stringify(name)} is registered here`)
    return (given) => task.run([...given, ...args], own, context)
  }

  const map = async (kwargs: Kwargs, context: Context): Promise<unknown[]> => {
    const call = calls(kwargs, context)
    const results: unknown[] = []
    for (const item of listIn(kwargs, 'it')) results.push(await call([item]))
    return results
  }

  const starmap = async (kwargs: Kwargs, context: Context): Promise<unknown[]> => {
    const call = calls(kwargs, context)
    const results: unknown[] = []
    for (const item of listIn(kwargs, 'it')) results.push(await call(listIn({ item }, 'item')))
    return results
  }

  /** Sends it as a part of the task that runs. @returns what a result tells of it. */
  const apply = async (data: unknown, call: PartialCall, context: Context): Promise<ResultTuple> => {
    const { id, rootId } = context().request
    const prepared = prepareCanvas(data, call, { parentId: id, rootId })
    await prepared.send()
    noteChild(startedTuple(prepared.result))
    return tupleOf(prepared.result)
  }

  const builtins: Readonly<Record<string, RegisteredTask['run']>> = {
    'celery.map': (_, kwargs, context) => map(kwargs, context),
    'celery.starmap': (_, kwargs, context) => starmap(kwargs, context),
    'celery.chunks': (_, kwargs, context) => {
      const task = readSignatureData(kwargs['task'], 'the task of chunks')
      const items = listIn(kwargs, 'it') as readonly (readonly unknown[])[]
      return apply(chunksData(task, items, Number(kwargs['n'])), {}, context)
    },
    'celery.accumulate': (args, { index }) => (typeof index === 'number' ? args[index] : args),
    'celery.group': (args, kwargs, context) => {
      const tasks = kwargs['tasks'] ?? args[0]
      const prefix = kwargs['partial_args'] ?? args[3] ?? []
      const options = { task_id: kwargs['group_id'] ?? args[2] }
      const data = { task: 'celery.group', subtask_type: 'group', kwargs: { tasks }, options }
      return apply(data, { args: prefix as readonly unknown[] }, context)
    },
    'celery.chord': (args, kwargs, context) => {
      const header = (kwargs['header'] ?? args[0]) as never
      const prefix = kwargs['partial_args'] ?? args[2] ?? []
      const data = chordData(header, (kwargs['body'] ?? args[1]) as never)
      return apply(data, { args: prefix as readonly unknown[] }, context)
    },
    // Results expire by themselves.
    'celery.backend_cleanup': () => null,
  }
  const registered = new Map(Object.entries(builtins).map(([name, run]) => [name, builtin(name, run)]))
  return { get: (name) => tasks.get(name) ?? registered.get(name) }
}

/** Names of those that every worker has. */
export const BUILTIN_NAMES: readonly string[] = [
  'celery.accumulate',
  'celery.backend_cleanup',
  'celery.chord',
  'celery.chunks',
  'celery.group',
  'celery.map',
  'celery.starmap',
]

function builtin(name: string, run: RegisteredTask['run']): RegisteredTask {
  return { name, options: {}, required: 0, run, pack: (args, kwargs = {}) => ({ args, kwargs }) }
}

function listIn(values: Kwargs, name: string): readonly unknown[] {
  const list = values[name]
  if (!isList(list)) throw new TypeError(`${name} must be a list, got ${typeof list}`)
  return list
}
