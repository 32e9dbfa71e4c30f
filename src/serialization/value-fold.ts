import { describeValue } from '../errors.js'
import { EncodeError, InvalidInstantError } from './errors.js'
import { Decimal, Uuid } from './python-types.js'
import { formatInstant } from './time.js'

/** What has no parts, or is written as one. */
export type Leaf = string | number | boolean | null | bigint | Date | Uint8Array | Decimal | Uuid

/** Throws an EncodeError: the value's path, then why. */
export type Refuse = (why: string) => never

/** How one output format puts values together. `T` is text for JSON, plain values for libraries. */
export interface Fold<T> {
  /** A Date is one that {@link formatInstant} can write. */
  leaf(value: Leaf, refuse: Refuse): T
  list(items: T[]): T
  object(keys: readonly string[], members: readonly T[], refuse: Refuse): T
}

/** As deep as Python's own writer goes, about. */
export const MAX_DEPTH = 1000

/**
 * Walk a value as every serializer sees it: `toJSON` is honoured, undefined members are dropped and undefined
 * elsewhere is null, a Map is an object and a Set a list. What has no counterpart in Python's formats (functions, symbols,
 * promises, cycles, depth beyond 1000), or would be lost (errors, instances that hide what they are), is refused.
 *
 * @param root - What the value is called in the path of an error: `args` gives `args[0].price`.
 * @throws {@link EncodeError}
 */
export function foldValue<T>(value: unknown, fold: Fold<T>, root: string): T {
  const path: (string | number)[] = []
  const ancestors = new Set<object>()

  const refuse = (why: string): never => {
    throw new EncodeError(`${formatPath(root, path)} ${why}`)
  }

  const visit = (given: unknown): T | undefined => {
    const current = resolve(given, refuse)
    switch (typeof current) {
      case 'string':
      case 'number':
      case 'boolean':
      case 'bigint':
        return fold.leaf(current, refuse)
      case 'undefined':
        return undefined
      case 'function':
        return refuse(
          `is a function${current.name === '' ? '' : ` (${current.name})`}: it cannot be serialized`,
        )
      case 'symbol':
        return refuse(`is ${String(current)}: a symbol cannot be serialized`)
      case 'object':
        if (current instanceof Date) refuseInvalidDate(current, refuse)
        if (current === null || isLeafObject(current)) return fold.leaf(current, refuse)
        return visitParts(current)
    }
  }

  const visitParts = (parent: object): T => {
    if (ancestors.has(parent)) return refuse('refers back to an object that contains it')
    if (ancestors.size >= MAX_DEPTH) return refuse(`is nested deeper than ${MAX_DEPTH} levels`)
    const reason = refusalOf(parent)
    if (reason !== undefined) return refuse(reason)
    ancestors.add(parent)
    const isList = Array.isArray(parent) || parent instanceof Set
    const result = isList ? visitItems([...(parent as Iterable<unknown>)]) : visitMembers(parent)
    ancestors.delete(parent)
    return result
  }

  const visitItems = (items: readonly unknown[]): T => {
    const results: T[] = []
    for (let index = 0; index < items.length; index++) {
      path.push(index)
      results.push(visit(items[index]) ?? fold.leaf(null, refuse))
      path.pop()
    }
    return fold.list(results)
  }

  const visitMembers = (parent: object): T => {
    const keys: string[] = []
    const results: T[] = []
    const entries = parent instanceof Map ? mapEntries(parent, refuse) : membersOf(parent, refuse)
    for (const [key, member] of entries) {
      path.push(key)
      const result = visit(member)
      path.pop()
      if (result === undefined) continue
      keys.push(key)
      results.push(result)
    }
    return fold.object(keys, results, refuse)
  }

  return visit(value) ?? fold.leaf(null, refuse)
}

/** A path as a JavaScript programmer would write it: `args[0].price`, `kwargs["a b"]`. */
function formatPath(root: string, path: readonly (string | number)[]): string {
  let text = root
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (!/^[A-Za-z_$][\w$]*$/.test(step)) text += `[${JSON.stringify(step)}]`
    else text += text === '' ? step : `.${step}`
  }
  if (text.length > 200) text = `${text.slice(0, 197)}...`
  return text === '' ? 'the value' : text
}

function isLeafObject(value: object): value is Date | Uint8Array | Decimal | Uuid {
  return (
    value instanceof Date || value instanceof Uint8Array || value instanceof Decimal || value instanceof Uuid
  )
}

function resolve(value: unknown, refuse: Refuse): unknown {
  if (typeof value !== 'object' || value === null || isLeafObject(value)) return value
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    try {
      return (value as { toJSON(): unknown }).toJSON()
    } catch (error) {
      return refuse(`has a toJSON that threw: ${textOf(error)}`)
    }
  }
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return value.valueOf()
  return value
}

function refuseInvalidDate(date: Date, refuse: Refuse): void {
  try {
    formatInstant(date)
  } catch (error) {
    if (error instanceof InvalidInstantError) refuse(`is a Date: ${error.message}`)
    throw error
  }
}

function refusalOf(value: object): string | undefined {
  if (value instanceof Error) return 'is an Error: throw it, or send its message'
  if (value instanceof Promise) return 'is a Promise: await it first'
  if (value instanceof WeakMap || value instanceof WeakSet)
    return 'is a weak collection: it cannot be serialized'
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    return `is ${value.constructor.name}: send a Uint8Array for bytes, an array for numbers`
  }
  if (isOpaque(value)) {
    return `is an instance of ${value.constructor.name} without members of its own: give it a toJSON, or send what it stands for`
  }
  return undefined
}

/** Regular expressions, iterators, objects with private fields only: all that they are would be lost. */
function isOpaque(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype) return false
  if (Array.isArray(value) || value instanceof Map || value instanceof Set) return false
  return Object.keys(value).length === 0
}

/** A getter may throw. */
function membersOf(value: object, refuse: Refuse): [string, unknown][] {
  try {
    return Object.entries(value)
  } catch (error) {
    return refuse(`cannot be read: ${textOf(error)}`)
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : describeValue(error)
}

function* mapEntries(map: ReadonlyMap<unknown, unknown>, refuse: Refuse): Generator<[string, unknown]> {
  for (const [key, value] of map) {
    if (typeof key === 'string') yield [key, value]
    else if (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean') {
      yield [String(key), value]
    } else {
      refuse(
        `is a Map with a key that is ${key === null ? 'null' : typeof key}: keys must be text or numbers`,
      )
    }
  }
}
