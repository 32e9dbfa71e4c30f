import { describeValue, InvalidArgumentError } from '../errors.js'
import type { Log } from '../log.js'

/** What a command has in hand, beside its arguments. */
export interface ControlCommandContext {
  /** Node name of the worker that was told. */
  readonly hostname: string
  readonly log: Log
}

/**
 * A command of remote control of one's own. What it returns, or resolves with, is the worker's reply; what it throws is
 * replied as an error.
 */
export type CustomCommand = (
  args: Readonly<Record<string, unknown>>,
  context: ControlCommandContext,
) => unknown

/** @throws InvalidArgumentError */
export function checkControlCommand(
  commands: ReadonlyMap<string, CustomCommand>,
  name: unknown,
  command: unknown,
): void {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidArgumentError(
      `a control command's name has to be a non-empty string, not ${describeValue(name)}`,
    )
  }
  if (typeof command !== 'function') {
    throw new InvalidArgumentError(
      `control command ${name}: expected a function, not ${describeValue(command)}`,
    )
  }
  if (commands.has(name))
    throw new InvalidArgumentError(`a control command ${describeValue(name)} exists already`)
}
