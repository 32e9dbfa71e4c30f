import { createFailoverNews } from '../redis/watch-failover.js'
import { createBackend, createBroker, createCoordination } from './transports.js'
import type { Broker } from '../broker/broker.js'
import type { Coordination } from '../coordination/coordination.js'
import type { Log } from '../log.js'
import type { ResultBackend } from '../results/result-backend.js'
import type { RevokeTasks } from '../results/revoking.js'
import type { Settings } from './settings.js'

/** The servers that an app talks to, each of them connected to when it is first asked for. */
export interface Connections {
  /** From then on, other settings would come too late. */
  readonly isInUse: boolean
  broker(): Broker
  backend(): ResultBackend
  /** Only where a task or a call needs it. */
  coordination(this: void): Coordination
  close(): Promise<void>
}

export interface ConnectionsParts {
  readonly settings: () => Settings
  readonly log: () => Log
  readonly revokeTasks: RevokeTasks
}

export function createConnections({ settings, log, revokeTasks }: ConnectionsParts): Connections {
  /** One connection to the sentinels, for all others. */
  const failoverNews = createFailoverNews()
  let broker: Broker | undefined
  let backend: ResultBackend | undefined
  let coordination: Coordination | undefined

  return {
    get isInUse() {
      return broker !== undefined || backend !== undefined
    },
    broker: () => (broker ??= createBroker(settings(), log(), failoverNews)),
    backend: () => (backend ??= { ...createBackend(settings(), log(), failoverNews), revokeTasks }),
    coordination: () => (coordination ??= createCoordination(settings(), log(), failoverNews)),
    async close() {
      await Promise.all([broker?.close(), backend?.close(), coordination?.close()])
    },
  }
}
