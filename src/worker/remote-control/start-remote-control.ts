import { appMailbox } from '../../app/app-control.js'
import { describeBroker } from '../../app/describe-broker.js'
import { mingle } from './mingle.js'
import { startGossip } from './gossip.js'
import { serveRemoteControl } from './serve.js'
import type { Consumer } from '../../broker/broker.js'
import type { ControlledNode } from './node.js'
import type { Pool } from '../pool/pool.js'
import type { Prefetch } from '../prefetch.js'
import type { Processor } from '../processor.js'
import type { Revocation } from '../revocation/revocation.js'
import type { WorkerEvents } from '../worker-events.js'
import type { WorkerParts } from '../../app/worker-options.js'

export interface StartRemoteControlParts extends WorkerParts {
  readonly hostname: string
  readonly consumer: Consumer
  readonly pool: Pool
  readonly prefetch: Prefetch
  readonly processor: Processor
  readonly revocation: Revocation
  readonly workerEvents: WorkerEvents
  readonly autoscale: ControlledNode['autoscale']
  readonly mingles: boolean
  readonly gossips: boolean
  readonly shutdown: () => void
}

/** Tasks with an ETA that `scheduled` tells of, for each queue. */
const MOST_SCHEDULED = 1000

/**
 * Begin to obey remote control, and learn from other workers what is revoked. What was revoked is known before the first
 * task begins, as far as anybody can tell.
 *
 * @returns ends it.
 */
export async function startRemoteControl(parts: StartRemoteControlParts): Promise<() => Promise<void>> {
  const { settings, broker, processor, revocation, consumer } = parts
  if (!settings.workerEnableRemoteControl) {
    await revocation.start()
    return () => Promise.resolve()
  }
  const gossip = parts.gossips
    ? startGossip({ ...parts, fanout: broker.fanout, exchange: settings.eventExchange })
    : undefined
  const node: ControlledNode = {
    ...parts,
    startedAt: Date.now(),
    requests: processor.requests,
    broker: describeBroker(settings),
    prefetchCount: () => Math.min(parts.prefetch.limit(), Number.MAX_SAFE_INTEGER),
    parked: () => broker.parked(consumer.queues, MOST_SCHEDULED),
    terminate: processor.terminate,
    setRateLimit: processor.setRateLimit,
    setTimeLimits: processor.setTimeLimits,
    events: parts.workerEvents,
  }
  const control = serveRemoteControl({
    broker,
    node,
    customCommands: parts.controlCommands,
    onResumed: () => void revocation.refresh(),
  })
  await Promise.all([control.established, gossip?.established])
  await revocation.start()
  if (parts.mingles) await mingle({ ...parts, mailbox: appMailbox(parts) })
  return async () => {
    await Promise.all([control.stop(), gossip?.stop()])
  }
}
