import type { z } from 'zod'
import { LovageError } from '../errors.js'

type Kwargs = Readonly<Record<string, unknown>>

/** Thrown when the arguments of a call do not fit the task's `params`. It was not run, or not sent. */
export class InvalidParamsError extends LovageError {
  readonly code = 'INVALID_PARAMS'
  /** One line for each fault, naming the parameter. */
  readonly faults: readonly string[]

  constructor(task: string, faults: readonly string[]) {
    super(`${task}: ${faults.join('; ')}`)
    this.faults = faults
  }
}

export interface ArgumentShape {
  readonly task: string
  readonly argNames: readonly string[] | undefined
  readonly takesKwargs: boolean
  /** Arguments without a default, the context and the keyword object not counted. */
  readonly required: number
}

/**
 * Positional arguments for a function, as Python would bind them.
 *
 * @throws TypeError in Python's words, for what Python would refuse.
 */
export function bindArguments(shape: ArgumentShape, args: readonly unknown[], kwargs: Kwargs): unknown[] {
  const { task, argNames, takesKwargs, required } = shape
  const names = Object.keys(kwargs)
  if (argNames === undefined && names.length > 0 && !takesKwargs) {
    throw new TypeError(
      `${task}() got keyword arguments ${list(names)}, but takes positional arguments only: ` +
        'give the task `argNames`, `kwargs` or `params`',
    )
  }
  if (argNames !== undefined && args.length > argNames.length) {
    throw new TypeError(
      `${task}() takes ${count(argNames.length, 'positional argument')} but ${args.length} were given`,
    )
  }
  if (names.length === 0 && !takesKwargs && args.length >= required) return args as unknown[]

  const bound = [...args]
  const rest: Record<string, unknown> = {}
  for (const name of names) {
    const position = argNames?.indexOf(name) ?? -1
    if (position < 0) {
      if (!takesKwargs) throw new TypeError(`${task}() got an unexpected keyword argument '${name}'`)
      rest[name] = kwargs[name]
      continue
    }
    if (position < args.length) throw new TypeError(`${task}() got multiple values for argument '${name}'`)
    bound[position] = kwargs[name]
  }
  const missing = missingPositions(bound, required)
  if (missing.length > 0) {
    const described = missing.map((i) => argNames?.[i] ?? `number ${i + 1}`)
    throw new TypeError(
      `${task}() missing ${count(missing.length, 'required positional argument')}: ${list(described)}`,
    )
  }
  if (takesKwargs) {
    const place = argNames?.length ?? Math.max(bound.length, required)
    while (bound.length < place) bound.push(undefined)
    bound.push(rest)
  }
  return bound
}

/**
 * One validated object for a task with `params`.
 *
 * @throws TypeError where the arguments cannot be bound, in Python's words.
 * @throws InvalidParamsError where the schema refuses them.
 */
export function bindParams<Schema extends z.ZodObject>(
  task: string,
  schema: Schema,
  args: readonly unknown[],
  kwargs: Kwargs,
): z.output<Schema> {
  const keys = Object.keys(schema.shape)
  if (args.length > keys.length) {
    throw new TypeError(
      `${task}() takes ${count(keys.length, 'positional argument')} but ${args.length} were given`,
    )
  }
  const values: Record<string, unknown> = {}
  args.forEach((value, i) => (values[keys[i] ?? ''] = value))
  const acceptsOthers = schema.def.catchall !== undefined
  for (const [name, value] of Object.entries(kwargs)) {
    if (Object.hasOwn(values, name))
      throw new TypeError(`${task}() got multiple values for argument '${name}'`)
    if (!Object.hasOwn(schema.shape, name) && !acceptsOthers) {
      throw new TypeError(`${task}() got an unexpected keyword argument '${name}'`)
    }
    values[name] = value
  }
  return checkParams(task, schema, values)
}

/** @throws InvalidParamsError naming each parameter at fault. */
export function checkParams<Schema extends z.ZodObject>(
  task: string,
  schema: Schema,
  values: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(values)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`,
  )
  throw new InvalidParamsError(task, faults)
}

/** A hole, left where a later argument came by name; an explicit undefined or null is a value. */
function missingPositions(bound: readonly unknown[], required: number): number[] {
  const missing: number[] = []
  for (let i = 0; i < required; i++) if (!(i in bound)) missing.push(i)
  return missing
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}

function list(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ')
}
