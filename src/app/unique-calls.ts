import { createHash } from 'node:crypto'
import { describeValue, InvalidArgumentError, LovageError } from '../errors.js'
import { formatJson } from '../serialization/json.js'
import { isPlainRecord } from '../serialization/plain-record.js'
import { PublishError } from '../broker/errors.js'
import type { Coordination } from '../coordination/coordination.js'
import type { LimitKey } from './rate-limit.js'
import type { Log } from '../log.js'

/** Not of Celery: a second call of the same key, while the first one waits or runs, is not sent. */
export interface UniqueOptions {
  /** Which calls of the task are the same; a function that returns undefined exempts a call. @default the arguments */
  readonly key?: LimitKey
  /** Seconds after which the key is free, whatever became of the call. @default 3600 */
  readonly ttl?: number
  /** When the key is free else: when the task has ended, retries included, or when it starts. @default 'finish' */
  readonly until?: 'start' | 'finish'
  /**
   * What a second call gets: the first one's result, UniqueConflictError, or that the first one is revoked and it is sent
   * in its place. @default 'drop'
   */
  readonly onConflict?: 'drop' | 'replace' | 'error'
}

/** Thrown when a call is not sent because another of its key waits or runs, where it asked for that. */
export class UniqueConflictError extends LovageError {
  readonly code = 'UNIQUE_CONFLICT'
  /** Of the call that waits or runs. */
  readonly taskId: string

  constructor(task: string, taskId: string) {
    super(`a call of ${task} that is the same waits or runs already: ${taskId}`)
    this.taskId = taskId
  }
}

/** Tells the worker which key a message's task has. Workers of Celery do not know it, and leave it to its `ttl`. */
export const UNIQUE_HEADER = 'lovage_unique'

/** The key that one call is to have. */
export interface UniqueKey {
  readonly key: string
  readonly ttlMs: number
  readonly until: 'start' | 'finish'
  readonly onConflict: 'drop' | 'replace' | 'error'
}

const DEFAULT_TTL_SECONDS = 3600

/** @returns undefined where the call need not be unique. @throws InvalidArgumentError */
export function uniqueKeyOf(
  unique: UniqueOptions | boolean | undefined,
  task: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): UniqueKey | undefined {
  if (unique === undefined || unique === false) return undefined
  const {
    key,
    ttl = DEFAULT_TTL_SECONDS,
    until = 'finish',
    onConflict = 'drop',
  } = unique === true ? {} : unique
  const made =
    key === undefined ? fingerprint(args, kwargs) : typeof key === 'string' ? key : key(args, kwargs)
  if (made === undefined) return undefined
  if (typeof made !== 'string' || made === '') {
    throw new InvalidArgumentError(
      `unique.key of ${task}: expected a non-empty string, got ${describeValue(made)}`,
    )
  }
  return { key: `${task}:${made}`, ttlMs: ttl * 1000, until, onConflict }
}

/** The same for the same arguments, in whatever order their members are named. */
function fingerprint(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>): string {
  return createHash('sha256')
    .update(formatJson(sorted([args, kwargs])))
    .digest('hex')
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isPlainRecord(value)) return value
  const names = Object.keys(value).sort()
  return Object.fromEntries(names.map((name) => [name, sorted(value[name])]))
}

/** So long after it was tried to send it a call may have been sent that nobody knows of. */
const SENDING_MS = 10_000

/** So many calls at most may take the key between two looks at who has it. */
const MOST_TRIES = 10

export interface UniqueCallParts {
  readonly coordination: Coordination
  readonly isRevoked: (taskId: string) => Promise<boolean>
  readonly revoke: (taskId: string) => Promise<void>
  readonly log: Log
}

export interface UniqueCall {
  readonly task: string
  readonly id: string
  readonly timeoutMs: number
}

/**
 * Send a call, unless another has its key that was not revoked.
 *
 * The key is taken for moments first, and for its full time when the message is in its queue: a producer that dies in
 * between leaves nothing that keeps others from sending.
 *
 * @returns id of the call that has the key.
 * @throws what `publish` does; PublishError where Redis does not say whether it may be sent; UniqueConflictError.
 */
export async function sendUnique(
  parts: UniqueCallParts,
  unique: UniqueKey,
  call: UniqueCall,
  publish: () => Promise<void>,
): Promise<string> {
  const { coordination, log } = parts
  const { key, ttlMs, onConflict } = unique
  const { task, id } = call
  const { holder, replaced } = await takeKey(parts, unique, call).catch((cause: unknown) => {
    const message = `could not learn whether a call of ${task} is unique: ${(cause as Error).message}`
    throw new PublishError('PUBLISH_REFUSED', message, { cause, mayHaveBeenSent: false })
  })
  if (holder !== id) {
    if (onConflict === 'error') throw new UniqueConflictError(task, holder)
    return holder
  }
  try {
    await publish()
  } catch (error) {
    const mayHaveBeenSent = error instanceof PublishError && error.mayHaveBeenSent
    if (!mayHaveBeenSent) await coordination.releaseUnique(key, id).catch(() => undefined)
    throw error
  }
  await coordination.keepUnique(key, id, ttlMs).catch((error: unknown) => {
    log.warn({ err: error, taskId: id, task }, 'a unique call was sent, but may be unique for moments only')
  })
  if (replaced !== undefined) {
    await parts.revoke(replaced).catch((error: unknown) => {
      log.warn({ err: error, taskId: replaced, task }, 'a call was replaced, but could not be revoked')
    })
  }
  return id
}

/** @returns who has the key now, and who is to be revoked for that. */
async function takeKey(
  { coordination, isRevoked }: UniqueCallParts,
  { key, ttlMs, onConflict }: UniqueKey,
  { id, timeoutMs }: UniqueCall,
): Promise<{ readonly holder: string; readonly replaced?: string | undefined }> {
  const take = (from?: string): Promise<string> =>
    coordination.takeUnique(key, id, Math.min(ttlMs, timeoutMs + SENDING_MS), from)
  const replaces = onConflict === 'replace'
  let holder = await take()
  for (let tries = 0; holder !== id && tries < MOST_TRIES; tries++) {
    // Revoked, it keeps its key until its turn comes, which may be long.
    if (!replaces && !(await isRevoked(holder))) break
    const from = holder
    holder = await take(from)
    if (holder === id) return { holder, replaced: replaces ? from : undefined }
  }
  return { holder }
}
