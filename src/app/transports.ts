import { createMemoryBackend } from '../results/memory-backend.js'
import { createMemoryBroker } from '../broker/memory-broker.js'
import { createMemoryCoordination } from '../coordination/memory-coordination.js'
import { createRedisCoordination } from '../coordination/redis-coordination.js'
import { systemClock } from '../clock.js'
import { createRedisBackend } from '../results/redis-backend.js'
import { createRedisBroker } from '../broker/redis-broker.js'
import { disabledBackend } from '../results/disabled-backend.js'
import { serializerNamed } from '../serialization/serializers.js'
import type { Broker } from '../broker/broker.js'
import type { Coordination } from '../coordination/coordination.js'
import type { FailoverNews } from '../redis/watch-failover.js'
import type { Log } from '../log.js'
import type { ResultBackend } from '../results/result-backend.js'
import type { Settings } from './settings.js'

/** The broker that the setting `broker` names by its URL's scheme. */
export function createBroker(settings: Settings, log: Log, failoverNews: FailoverNews): Broker {
  const deadLetterLimits = {
    maxCount: settings.deadLetterMaxCount,
    expiresSeconds: settings.deadLetterExpires,
  }
  if (settings.broker.startsWith('memory:')) return createMemoryBroker(deadLetterLimits)
  const { visibilityTimeout, ...options } = settings.brokerTransportOptions
  return createRedisBroker({
    ...options,
    connection: { ...settings.brokerConnection, failoverNews },
    visibilityTimeoutMs: visibilityTimeout * 1000,
    leaseMs: settings.workerLease * 1000,
    publishTimeoutMs: settings.publishTimeoutMs,
    deadLetterLimits,
    log,
  })
}

/** Where workers and producers agree on limits and keys: beside the broker's queues. */
export function createCoordination(settings: Settings, log: Log, failoverNews: FailoverNews): Coordination {
  if (settings.broker.startsWith('memory:')) return createMemoryCoordination(systemClock)
  return createRedisCoordination({
    connection: { ...settings.brokerConnection, failoverNews },
    globalKeyprefix: settings.brokerTransportOptions.globalKeyprefix,
    patienceMs: settings.publishTimeoutMs,
    log,
  })
}

/** The result backend that the setting `backend` names, or the one that keeps nothing. */
export function createBackend(settings: Settings, log: Log, failoverNews: FailoverNews): ResultBackend {
  if (settings.backend === undefined || settings.backendConnection === undefined) return disabledBackend
  const serializer = serializerNamed(settings.resultSerializer, settings.jsonForm, settings.auth)
  if (settings.backend.startsWith('memory:')) return createMemoryBackend(serializer)
  return createRedisBackend({
    connection: { ...settings.backendConnection, failoverNews },
    globalKeyprefix: settings.resultBackendTransportOptions.globalKeyprefix,
    isChordOrdered: settings.resultBackendTransportOptions.resultChordOrdered,
    expiresSeconds: settings.resultExpires,
    serializer,
    log,
  })
}
