import { describeValue, LovageError } from '../errors.js'
import { readSchedule } from '../schedules/read-schedule.js'
import type { Schedule } from '../schedules/schedule.js'

/** What is to be sent when: one value of Celery's `beat_schedule`, with its name. */
export interface EntryDefinition {
  readonly name: string
  readonly schedule: Schedule
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  /** Those of `applyAsync`: queue, priority, expires, ... */
  readonly options: Readonly<Record<string, unknown>>
}

/** An entry and what beat did with it so far. */
export interface ScheduleEntry extends EntryDefinition {
  /** Absent until a beat has led with it. Before the first run, the time at which it was first seen. */
  readonly lastRunAt?: Date
  readonly totalRunCount: number
}

/** Thrown for a `beatSchedule` that cannot be read, naming the entry and the key. Nothing was scheduled. */
export class BeatScheduleError extends LovageError {
  readonly code = 'INVALID_BEAT_SCHEDULE'
}

const KEYS = ['task', 'schedule', 'args', 'kwargs', 'options', 'relative']

/**
 * Reads Celery's `beat_schedule`:
 *
 *     { 'every-minute': { task: 'canaries.run_health_checks', schedule: 60, options: { queue: 'health-checks' } } }
 *
 * `args`, `kwargs`, `options` and `relative` (for a schedule in seconds) may be left out, as in Celery.
 *
 * @throws {@link BeatScheduleError} for anything that is not of that shape.
 */
export function readBeatSchedule(beatSchedule: unknown): readonly EntryDefinition[] {
  const entries = readRecord(beatSchedule, 'beatSchedule')
  return Object.entries(entries).map(([name, value]) => readEntry(name, value))
}

function readEntry(name: string, value: unknown): EntryDefinition {
  const path = `beatSchedule[${JSON.stringify(name)}]`
  const fields = readRecord(value, path)
  const { task, args = [], kwargs = {}, options = {}, relative = false } = fields

  const unknown = Object.keys(fields).find((key) => !KEYS.includes(key))
  if (unknown !== undefined) {
    throw new BeatScheduleError(`${path} has the key ${JSON.stringify(unknown)}; expected ${KEYS.join(', ')}`)
  }
  if (typeof task !== 'string' || task === '') throw refusal(`${path}.task`, task, 'the name of a task')
  if (!Array.isArray(args)) throw refusal(`${path}.args`, args, 'an array')
  if (typeof relative !== 'boolean') throw refusal(`${path}.relative`, relative, 'true or false')
  return {
    name,
    schedule: scheduleOf(fields.schedule, relative, path),
    task,
    args: args as readonly unknown[],
    kwargs: readRecord(kwargs, `${path}.kwargs`),
    options: readRecord(options, `${path}.options`),
  }
}

function scheduleOf(value: unknown, relative: boolean, path: string): Schedule {
  try {
    return readSchedule(value, { relative })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new BeatScheduleError(`${path}: ${reason}`, { cause })
  }
}

function readRecord(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>
  }
  throw refusal(path, value, 'an object')
}

function refusal(path: string, value: unknown, expected: string): BeatScheduleError {
  return new BeatScheduleError(`${path} is ${describeValue(value)}; expected ${expected}`)
}
