import { InvalidArgumentError, type Command } from 'commander'
import { LovageError } from '../../errors.js'
import { isPlainRecord } from '../../serialization/plain-record.js'
import { parseJson } from '../../serialization/json.js'
import { CALL_REFUSALS, refuseFlags } from '../refusals.js'
import { openApp, type AppFlags } from '../open-app.js'

interface CallFlags {
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly queue?: string
  readonly countdown?: number
  readonly eta?: Date
  readonly expires?: number | Date
  readonly priority?: number
  readonly serializer?: string
  readonly json?: boolean
}

/** Celery's `call`: sends a task and prints its id. */
export function defineCall(command: Command): Command {
  return refuseFlags(command, CALL_REFUSALS)
    .description('send a task and print its id')
    .argument('<name>', 'of the task')
    .option('-a, --args <json>', 'positional arguments, a JSON array', readArgs, [])
    .option('-k, --kwargs <json>', 'keyword arguments, a JSON object', readKwargs, {})
    .option('--queue <name>', 'queue to send it to')
    .option('--countdown <seconds>', 'do not start it before', readNumber)
    .option('--eta <time>', 'do not start it before; ISO 8601', readInstant)
    .option('--expires <time>', 'do not start it after; seconds, or ISO 8601', readExpires)
    .option('--priority <n>', '0 to 9, 0 the most urgent', readNumber)
    .option('--serializer <name>', 'that its arguments are written with: json, yaml, msgpack, auth')
    .option('--json', 'print the id as JSON')
    .action(async (name: string) => {
      const { args, kwargs, queue, countdown, eta, expires, priority, ...flags } = command.opts<CallFlags>()
      const { app } = await openApp({ ...command.optsWithGlobals<AppFlags>(), loglevel: 'silent' }, 'call')
      const options = { queue, countdown, eta, expires, priority, serializer: flags.serializer }
      const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
      const { id } = await app.sendTask(name, args, kwargs, given)
      process.stdout.write(`${flags.json ? JSON.stringify({ id }) : id}\n`)
      await app.close()
    })
}

const ARGS = 'a JSON array such as [2, 3]'
const KWARGS = 'a JSON object such as {"x": 2}'

function readArgs(text: string): unknown[] {
  const value = readJson(text, ARGS)
  if (!Array.isArray(value)) throw new InvalidArgumentError(`Expected ${ARGS}.`)
  return value
}

function readKwargs(text: string): Record<string, unknown> {
  const value = readJson(text, KWARGS)
  if (!isPlainRecord(value)) throw new InvalidArgumentError(`Expected ${KWARGS}.`)
  return value
}

function readJson(text: string, expected: string): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    if (!(error instanceof LovageError)) throw error
    const { message } = error.cause instanceof Error ? error.cause : error
    throw new InvalidArgumentError(`Expected ${expected}: ${message}.`)
  }
}

function readNumber(text: string): number {
  const number = text.trim() === '' ? NaN : Number(text)
  if (!Number.isFinite(number)) throw new InvalidArgumentError('Expected a number.')
  return number
}

function readInstant(text: string): Date {
  const instant = new Date(text)
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(instant.getTime())) {
    throw new InvalidArgumentError('Expected a time such as 2026-08-01T12:00:00Z.')
  }
  return instant
}

function readExpires(text: string): number | Date {
  return /^[\d.]+$/.test(text) ? readNumber(text) : readInstant(text)
}
