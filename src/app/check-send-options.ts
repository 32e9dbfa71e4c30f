import {
  checkOptions,
  COUNT,
  DATE,
  DEADLINE,
  DELAY,
  FLAG,
  isObject,
  LIMIT,
  NAMED,
  TEXT,
  TEXTS,
  type Check,
  type Checks,
} from './check-options.js'
import { checkTimeLimits } from './check-time-limits.js'
import { checkUnique } from './check-unique.js'
import type { SendOptions } from './send-task.js'

const SIGNATURE: Check = ['a signature', (value) => isObject(value) && !Array.isArray(value)]
const SIGNATURES: Check = [
  'a signature, or a list of them',
  (value) => (Array.isArray(value) ? value.every(isObject) : isObject(value)),
]
const SIGNATURE_LIST: Check = [
  'a list of signatures',
  (value) => Array.isArray(value) && value.every(isObject),
]

const CHECKS: Checks<SendOptions> = {
  taskId: TEXT,
  queue: TEXT,
  // Beyond these a message goes to the nearest list, as with Celery.
  priority: ['an integer from 0 to 9', Number.isInteger],
  countdown: DELAY,
  eta: DATE,
  expires: DEADLINE,
  retries: COUNT,
  shadow: TEXT,
  ignoreResult: FLAG,
  timeLimit: LIMIT,
  softTimeLimit: LIMIT,
  headers: NAMED,
  serializer: TEXT,
  compression: TEXT,
  link: SIGNATURES,
  linkError: SIGNATURES,
  chain: SIGNATURE_LIST,
  chord: SIGNATURE,
  rootId: TEXT,
  parentId: TEXT,
  groupId: TEXT,
  groupIndex: COUNT,
  replyTo: TEXT,
  unique: checkUnique,
  stamps: NAMED,
  stampedHeaders: TEXTS,
  replacedTaskNesting: COUNT,
  properties: NAMED,
  signal: ['an AbortSignal', (value) => value instanceof AbortSignal],
  publishTimeoutMs: ['milliseconds, more than 0', (value) => Number(value) > 0 && typeof value === 'number'],
}

/**
 * Check what user code says of one call. What workers send on is not checked so: it may come from other senders.
 *
 * @throws InvalidArgumentError
 */
export function checkSendOptions(options: SendOptions): void {
  checkOptions('a call', options, CHECKS)
  checkTimeLimits(options)
}
