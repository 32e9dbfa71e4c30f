/**
 * The base of every error that Lovage throws on purpose.
 *
 * `code` is stable: programs may compare it, dashboards may group by it. The message is for people.
 */
export abstract class LovageError extends Error {
  abstract readonly code: string

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    // A class's name travels in results (`exc_type`) and must survive bundlers and duplicate copies.
    this.name = new.target.name
  }
}

/** Thrown when an argument of a public function has the wrong type or value. Nothing was done. */
export class InvalidArgumentError extends LovageError {
  readonly code = 'INVALID_ARGUMENT'
}

/** Thrown when what was asked for was not there in time. Asking again may help. */
export class TimeoutError extends LovageError {
  readonly code = 'TIMEOUT'
}

/** What `value` is, for a message that names a bad argument: `string "abc"`, `array of 3`, `null`. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `array of ${value.length}`
  switch (typeof value) {
    case 'string':
      return `string ${JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)}`
    case 'number':
    case 'boolean':
    case 'bigint':
      return `${typeof value} ${String(value)}`
    case 'object':
      return `object (${(value as { constructor?: { name?: string } }).constructor?.name ?? 'no prototype'})`
    default:
      return typeof value
  }
}

/** Name, message and place of what a module threw: without the place nobody finds the mistake. */
export function describeWithPlace(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const place = error.stack?.match(/(?<=^|[\s(])(?:file:\/\/)?\/[^\s)]+:\d+/)?.[0]
  return `${error.name}: ${error.message}${place === undefined ? '' : ` (${place})`}`
}
