/** Where the broker keeps what, with `global_keyprefix` applied (wire protocol, sections 1, 5 and 9). */
export interface BrokerKeys {
  readonly unacked: string
  readonly unackedIndex: string
  readonly unackedMutex: string
  readonly leases: string
  /** What was revoked, by time. */
  readonly revoked: string
  /** Times, elements and information of the dead letters, all by dead letter id. */
  readonly deadLetters: readonly [index: string, elements: string, information: string]
  /** Delivery tags a consumer holds. */
  held(consumerId: string): string
  /** Messages that a consumer was handed while it waited, and that are not recorded as unacked yet. */
  handed(consumerId: string): string
  /** Messages of a queue that wait for their ETA. */
  parked(queue: string): string
  /** The set of an exchange's bindings. */
  binding(exchange: string): string
  /** The channel of a fanout exchange (section 8). */
  channel(exchange: string, routingKey: string): string
  /** The list of a queue for one priority step. */
  list(queue: string, step: number): string
  /** All lists of a queue, most urgent first. */
  lists(queue: string): readonly string[]
}

export interface BrokerKeyOptions {
  readonly globalKeyprefix: string
  readonly sep: string
  /** Ascending; the first is the most urgent. */
  readonly prioritySteps: readonly number[]
  readonly unackedKey: string
  readonly unackedIndexKey: string
  readonly unackedMutexKey: string
  /** Number of the database, which channels have in their names. @default 0 */
  readonly db?: number
}

export const DEFAULT_KEY_OPTIONS: BrokerKeyOptions = {
  globalKeyprefix: '',
  sep: '\x06\x16',
  prioritySteps: [0, 3, 6, 9],
  unackedKey: 'unacked',
  unackedIndexKey: 'unacked_index',
  unackedMutexKey: 'unacked_mutex',
}

export function brokerKeys(options: BrokerKeyOptions): BrokerKeys {
  const { globalKeyprefix: prefix, sep, prioritySteps, db = 0 } = options
  const list = (queue: string, step: number): string =>
    step === 0 ? `${prefix}${queue}` : `${prefix}${queue}${sep}${step}`
  return {
    unacked: prefix + options.unackedKey,
    unackedIndex: prefix + options.unackedIndexKey,
    unackedMutex: prefix + options.unackedMutexKey,
    revoked: `${prefix}lovage.revoked`,
    leases: `${prefix}lovage.leases`,
    deadLetters: [
      `${prefix}lovage.dead`,
      `${prefix}lovage.dead.elements`,
      `${prefix}lovage.dead.information`,
    ],
    held: (consumerId) => `${prefix}lovage.held.${consumerId}`,
    handed: (consumerId) => `${prefix}lovage.handed.${consumerId}`,
    parked: (queue) => `${prefix}lovage.parked.${queue}`,
    binding: (exchange) => `${prefix}_kombu.binding.${exchange}`,
    channel: (exchange, routingKey) =>
      `${prefix}/${db}.${exchange}${routingKey === '' ? '' : `/${routingKey}`}`,
    list,
    lists: (queue) => prioritySteps.map((step) => list(queue, step)),
  }
}

/** The step whose list takes a message of this priority: the largest one not above it (section 5.4). */
export function priorityStep(steps: readonly number[], priority: number): number {
  const clamped = Math.min(9, Math.max(0, priority))
  let step = steps.at(-1) ?? 0
  for (const candidate of steps) {
    if (candidate > clamped) break
    step = candidate
  }
  return step
}
