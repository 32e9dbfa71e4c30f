import { LovageError } from '../../errors.js'
import { pythonRepr } from '../../serialization/python-repr.js'

export type Arguments = Readonly<Record<string, unknown>>

/** A command of remote control. What it returns is the reply; what it throws is replied as an error. */
export interface ControlCommand<Node> {
  readonly run: (args: Arguments, node: Node) => unknown
  /** The only arguments that it takes, where others are an error and not passed over. */
  readonly takes?: readonly string[]
}

/** Thrown by a command that cannot do as it was told; replied as Python's repr of an exception of this name. */
export class CommandError extends LovageError {
  readonly code = 'CONTROL_COMMAND_FAILED'
  readonly exception: string

  constructor(exception: string, message: string) {
    super(message)
    this.exception = exception
  }
}

export function ok(text: string): { readonly ok: string } {
  return { ok: text }
}

export function failed(text: string): { readonly error: string } {
  return { error: text }
}

/** What a reply says of an error: `ValueError('Pool restarts not enabled')`. */
export function describeError(error: unknown): string {
  if (error instanceof CommandError) return `${error.exception}(${pythonRepr(error.message)})`
  if (error instanceof Error) return `${error.name}(${pythonRepr(error.message)})`
  return pythonRepr(error)
}

/** @throws CommandError */
export function textIn(args: Arguments, name: string): string {
  const value = args[name]
  if (typeof value === 'string' && value !== '') return value
  throw wrong(name, 'a text', value)
}

/** A text, or a list of texts. @throws CommandError */
export function textsIn(args: Arguments, name: string): readonly string[] {
  const value = args[name]
  const texts = Array.isArray(value) ? (value as unknown[]) : [value]
  if (texts.every((text): text is string => typeof text === 'string')) return texts
  throw wrong(name, 'a text or a list of texts', value)
}

/** @throws CommandError */
export function countIn(args: Arguments, name: string, otherwise: number): number {
  const value = args[name] ?? otherwise
  // The command hands its arguments on as texts.
  const count = typeof value === 'string' ? Number(value) : value
  if (typeof count === 'number' && Number.isInteger(count) && count >= 0) return count
  throw wrong(name, 'a whole number', value)
}

/** Seconds; undefined where there are none. @throws CommandError */
export function secondsIn(args: Arguments, name: string): number | undefined {
  const value = args[name] ?? undefined
  const seconds = typeof value === 'string' ? Number(value) : value
  if (seconds === undefined || (typeof seconds === 'number' && seconds >= 0)) return seconds || undefined
  throw wrong(name, 'a number of seconds', value)
}

function wrong(name: string, expected: string, value: unknown): CommandError {
  if (value === undefined) return new CommandError('TypeError', `missing 1 required argument: '${name}'`)
  return new CommandError('TypeError', `${name}: expected ${expected}, got ${pythonRepr(value, 60)}`)
}
