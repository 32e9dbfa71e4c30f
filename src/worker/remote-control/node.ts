import type { BrokerDescription } from '../../app/describe-broker.js'
import type { Consumer, ParkedMessage } from '../../broker/broker.js'
import type { Log } from '../../log.js'
import type { LogicalClock } from '../../logical-clock.js'
import type { Pool, TimeLimits } from '../pool/pool.js'
import type { RateLimit } from '../../app/rate-limit.js'
import type { RegisteredTask } from '../../app/registered-task.js'
import type { Requests } from '../requests.js'
import type { Revocation } from '../revocation/revocation.js'
import type { Settings } from '../../app/settings.js'

/** A worker as remote control sees it. */
export interface ControlledNode {
  readonly hostname: string
  readonly settings: Settings
  readonly tasks: ReadonlyMap<string, RegisteredTask>
  readonly logicalClock: LogicalClock
  /** Unix milliseconds. */
  readonly startedAt: number
  readonly pool: Pool
  readonly requests: Requests
  readonly consumer: Pick<Consumer, 'queues' | 'addQueue' | 'removeQueue'>
  readonly broker: BrokerDescription
  readonly prefetchCount: () => number
  /** Messages of its queues that wait for their ETA. */
  readonly parked: () => Promise<readonly ParkedMessage[]>
  readonly revocation: Revocation
  /** @returns false where it does not run here. */
  readonly terminate: (taskId: string, signal: NodeJS.Signals) => boolean
  readonly setRateLimit: (task: string, rate: RateLimit) => void
  readonly setTimeLimits: (task: string, limits: TimeLimits) => void
  /** Undefined where it sends no events. */
  readonly events: NodeEvents | undefined
  /** Change the limits of the autoscaler; undefined where there is none. */
  readonly autoscale: ((limits: Partial<AutoscaleLimits>) => AutoscaleLimits) | undefined
  /** Begin a warm shutdown. */
  readonly shutdown: () => void
  readonly log: Log
}

export interface NodeEvents {
  /** @returns false where they are sent already. */
  enableEvents(this: void): boolean
  /** @returns false where they are not. */
  disableEvents(this: void): boolean
  heartbeat(this: void): Promise<void>
}

export interface AutoscaleLimits {
  readonly max: number
  readonly min: number
}
