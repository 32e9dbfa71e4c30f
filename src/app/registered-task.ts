import { bindArguments, bindParams, checkParams, type ArgumentShape } from './bind-arguments.js'
import { InvalidArgumentError, describeValue } from '../errors.js'
import { checkTaskOptions } from './check-task-options.js'
import type { AnyTaskOptions, TaskHooks } from './task-options.js'
import type { TaskContext } from './task-context.js'

type Kwargs = Readonly<Record<string, unknown>>

/** The arguments of a call as they travel in a message. */
export interface CallArguments {
  readonly args: readonly unknown[]
  readonly kwargs: Kwargs
}

/** A task as a worker runs it and a producer calls it, whatever form its function has. */
export interface RegisteredTask {
  readonly name: string
  readonly options: AnyTaskOptions
  /** Those of `options`; undefined where there are none, as with nearly all tasks. */
  readonly hooks?: TaskHooks | undefined
  /** Arguments without a default, the context and the keyword object not counted. */
  readonly required: number
  /**
   * Bind the arguments and call the function.
   *
   * @param context - makes the task's context; called only where the function takes it.
   * @throws TypeError or InvalidParamsError where the arguments do not fit; else whatever the function throws.
   */
  run(args: readonly unknown[], kwargs: Kwargs, context: () => TaskContext): unknown
  /**
   * Turn the arguments of `delay` or `applyAsync` into those of a message.
   *
   * @throws InvalidParamsError where they do not fit the task's `params`.
   */
  readonly pack: (args: readonly unknown[], kwargs?: Kwargs) => CallArguments
}

/** Tasks by their names; some may be registered later. */
export type TaskLookup = Pick<ReadonlyMap<string, RegisteredTask>, 'get'>

// The signatures of user functions are checked by the overloads of `Celery.task`; inside, values are unknown.
export type TaskFunction = (...args: never[]) => unknown

/** @throws InvalidArgumentError naming what is wrong with the registration. */
export function registerTask(name: string, options: AnyTaskOptions, fn: TaskFunction): RegisteredTask {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidArgumentError(`a task's name has to be a non-empty string, not ${describeValue(name)}`)
  }
  if (typeof fn !== 'function') {
    throw new InvalidArgumentError(`task ${name}: expected a function, not ${describeValue(fn)}`)
  }
  checkTaskOptions(`task ${name}`, options)
  const hooks = hooksOf(options)
  const call = fn as (...args: unknown[]) => unknown
  if (options.params !== undefined) {
    const { params } = options
    return {
      name,
      options,
      hooks,
      required: 0,
      run: (args, kwargs, context) => call(bindParams(name, params, args, kwargs), context()),
      pack: ([values], kwargs) => {
        const given = kwargs === undefined ? (values ?? {}) : { ...(values as Kwargs | undefined), ...kwargs }
        checkParams(name, params, given)
        return { args: [], kwargs: given as Kwargs }
      },
    }
  }
  const isBound = options.bind === true
  const takesKwargs = options.kwargs === true
  const shape: ArgumentShape = {
    task: name,
    argNames: options.argNames,
    takesKwargs,
    required: Math.max(0, fn.length - (isBound ? 1 : 0) - (takesKwargs ? 1 : 0)),
  }
  return {
    name,
    options,
    hooks,
    required: shape.required,
    run: isBound
      ? (args, kwargs, context) => call(context(), ...bindArguments(shape, args, kwargs))
      : (args, kwargs) => call(...bindArguments(shape, args, kwargs)),
    pack(args, kwargs = {}) {
      if (!takesKwargs) return { args, kwargs }
      const split = splitKwargs(shape, args)
      return { args: split.args, kwargs: { ...split.kwargs, ...kwargs } }
    },
  }
}

/** The same task with other options, but for those that say how its function is called. */
export function withOptions(task: RegisteredTask, options: AnyTaskOptions): RegisteredTask {
  return options === task.options ? task : { ...task, options, hooks: hooksOf(options) }
}

function hooksOf(options: AnyTaskOptions): TaskHooks | undefined {
  const { beforeStart, onSuccess, onFailure, onRetry, afterReturn } = options
  return (beforeStart ?? onSuccess ?? onFailure ?? onRetry ?? afterReturn) ? options : undefined
}

/** With `kwargs: true`, an object in the place behind the positional arguments is the keyword arguments. */
function splitKwargs({ argNames, required }: ArgumentShape, args: readonly unknown[]): CallArguments {
  const last = args.at(-1)
  const isObject = typeof last === 'object' && last !== null && !Array.isArray(last)
  if (isObject && args.length > (argNames?.length ?? required)) {
    return { args: args.slice(0, -1), kwargs: last as Kwargs }
  }
  return { args, kwargs: {} }
}
