import { parseInstant } from '../../serialization/time.js'

import { z } from 'zod'
import { signature, type SendOptions } from '../../index.js'

const name = z.string().min(1).max(255)
const seconds = z.number().describe('Seconds.')
const positiveSeconds = z.number().positive().describe('Seconds.')

export const taskId = z
  .string()
  .regex(/^[A-Za-z0-9._:~-]{1,255}$/, 'expected 1 to 255 of the characters A-Z a-z 0-9 . _ : ~ -')

const instant = z
  .string()
  .describe('ISO 8601, such as 2026-11-21T08:00:00Z; without an offset it is UTC.')
  .transform((text, context) => {
    try {
      return parseInstant(text)
    } catch (error) {
      context.addIssue((error as Error).message)
      return z.NEVER
    }
  })

const unique = z
  .strictObject({
    key: z.string().min(1).optional().describe('What it must not have in common; else the arguments.'),
    ttl: positiveSeconds.optional().describe('Seconds after which the key is free in any case; else 3600.'),
    until: z
      .enum(['start', 'finish'])
      .optional()
      .describe('When the key is free: as the task begins, or else when it has ended.'),
    on_conflict: z
      .enum(['drop', 'replace', 'error'])
      .optional()
      .describe(
        "drop, which is the default: answer with the other call's id; error: 409; replace: revoke the other.",
      ),
  })
  .meta({ id: 'Unique', description: 'No call of the same task and key waits or runs beside it.' })

const args = z.array(z.unknown())
const kwargs = z.record(z.string(), z.unknown())

/** A call to be made later (wire protocol, section 12.1), as far as callers of the API may build one. */
const callLater = z
  .strictObject({
    task: name,
    args: args.default([]),
    kwargs: kwargs.default({}),
    options: z
      .strictObject({
        task_id: taskId.optional(),
        queue: name.optional(),
        priority: z.int().min(0).max(9).optional(),
        countdown: seconds.min(0).optional(),
        expires: seconds.optional(),
      })
      .default({}),
    immutable: z
      .boolean()
      .default(false)
      .describe("True: the result of the call before is not put in front of this one's arguments."),
    subtask_type: z.null().optional(),
    chord_size: z.null().optional(),
  })
  .meta({ id: 'Signature', description: 'A call to be made later, as Celery writes it.' })

const callsLater = z.union([callLater, z.array(callLater)])

/** The body of `POST /api/tasks/{name}`: the arguments, and the options of Celery's `apply_async`. */
export const taskCall = z
  .strictObject({
    args: args.default([]).describe('Positional arguments.'),
    kwargs: kwargs.default({}).describe('Keyword arguments.'),
    task_id: taskId
      .optional()
      .describe(
        "The call's id, chosen by the caller; else a new UUID. Calls with the same id share one result, " +
          'but each of them is sent: look up the id before sending again.',
      ),
    queue: name.optional().describe('Where to send it, instead of where routes and the task say.'),
    priority: z.int().min(0).max(9).optional().describe('0 is the most urgent.'),
    countdown: seconds.min(0).optional().describe('Seconds from now before which it does not start.'),
    eta: instant.optional().describe('The instant before which it does not start.'),
    expires: z
      .union([seconds, instant])
      .optional()
      .describe('Seconds from now, or the instant, after which it does not start any more.'),
    retries: z.int().min(0).optional().describe('How often it was retried already.'),
    shadow: name.optional().describe('Another name for it in logs.'),
    ignore_result: z.boolean().optional(),
    unique: z
      .union([z.boolean(), unique], 'expected true, false, or an object of key, ttl, until, on_conflict')
      .optional()
      .describe('Whether it is sent while another that is the same waits or runs; else as the task says.'),
    time_limit: positiveSeconds.optional(),
    soft_time_limit: positiveSeconds.optional(),
    headers: kwargs.optional().describe("The caller's own headers."),
    serializer: z.enum(['json', 'msgpack', 'yaml']).optional(),
    compression: name.optional().describe('Such as zlib.'),
    link: callsLater.optional().describe('Calls to make with the result after success.'),
    link_error: callsLater.optional().describe('Calls to make after failure.'),
    chain: z
      .array(callLater)
      .optional()
      .describe(
        'What follows, one after another, each with the result of the one before; the last comes first.',
      ),
    chord: callLater.optional(),
    root_id: taskId.optional(),
    parent_id: taskId.optional(),
    group_id: taskId.optional(),
    group_index: z.int().min(0).optional(),
    reply_to: name.optional(),
    stamps: kwargs.optional(),
    stamped_headers: z.array(name).optional(),
    replaced_task_nesting: z.int().min(0).optional(),
  })
  .refine(({ countdown, eta }) => countdown === undefined || eta === undefined, {
    path: ['eta'],
    message: 'give either countdown or eta, not both',
  })
  .refine(({ time_limit: hard, soft_time_limit: soft }) => !(Number(soft) > Number(hard)), {
    path: ['soft_time_limit'],
    error: ({ input }) => {
      const { time_limit, soft_time_limit } = input as { time_limit: number; soft_time_limit: number }
      return `expected at most the time_limit, ${time_limit} s, got ${soft_time_limit}`
    },
  })
  .meta({ id: 'TaskCall' })

export type TaskCall = z.output<typeof taskCall>
type CallLater = z.output<typeof callLater>

/** Names of all the tasks that a call makes run, itself not counted. */
export function followingTasks({ link, link_error, chain, chord }: TaskCall): string[] {
  return [link, link_error, chain, chord].flatMap(asList).map(({ task }) => task)
}

/** The call's options by the library's names. */
export function sendOptions(call: TaskCall): SendOptions {
  const toSignatures = (calls: CallLater | CallLater[] | undefined) =>
    calls === undefined ? undefined : asList(calls).map((each) => signature(each.task, each))
  const options: { [Option in keyof SendOptions]: SendOptions[Option] | undefined } = {
    taskId: call.task_id,
    queue: call.queue,
    priority: call.priority,
    countdown: call.countdown,
    eta: call.eta,
    expires: call.expires,
    retries: call.retries,
    shadow: call.shadow,
    ignoreResult: call.ignore_result,
    unique: toUnique(call.unique),
    timeLimit: call.time_limit,
    softTimeLimit: call.soft_time_limit,
    headers: call.headers,
    serializer: call.serializer,
    compression: call.compression,
    link: toSignatures(call.link),
    linkError: toSignatures(call.link_error),
    chain: toSignatures(call.chain),
    chord: toSignatures(call.chord)?.[0],
    rootId: call.root_id,
    parentId: call.parent_id,
    groupId: call.group_id,
    groupIndex: call.group_index,
    replyTo: call.reply_to,
    stamps: call.stamps,
    stampedHeaders: call.stamped_headers,
    replacedTaskNesting: call.replaced_task_nesting,
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function toUnique(unique: TaskCall['unique']): SendOptions['unique'] {
  if (typeof unique !== 'object') return unique
  const { on_conflict: onConflict, ...others } = unique
  const given = Object.entries({ ...others, onConflict }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given)
}

function asList<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return []
  return Array.isArray(value) ? (value as readonly T[]) : [value as T]
}

export const taskRevoked = z
  .object({
    task_id: z.string(),
    status_url: z.string().describe('Where to ask what became of it.'),
  })
  .meta({ id: 'TaskRevoked' })

export const taskSent = z
  .object({
    task_id: z.string(),
    state: z.literal('PENDING'),
    status_url: z.string().describe('Where to ask what became of it.'),
  })
  .meta({ id: 'TaskSent' })
