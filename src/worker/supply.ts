import { adaptivePrefetch, fixedPrefetch, type Prefetch } from './prefetch.js'
import { createAutoscaler, type Autoscaler } from './pool/autoscaler.js'
import { createConsumption } from './consumption.js'
import { systemClock } from '../clock.js'
import type { Consumer } from '../broker/broker.js'
import type { Log } from '../log.js'
import type { LookAhead } from './limits/look-ahead.js'
import type { Pool } from './pool/pool.js'
import type { Processor } from './processor.js'
import type { Settings } from '../app/settings.js'
import type { WorkerOptions } from '../app/worker-options.js'

/** Claims as many messages as the pool can soon begin, has the pool grow with them, and hands back what comes too early. */
export interface Supply {
  readonly prefetch: Prefetch
  /** Undefined where the pool has a fixed size. */
  readonly autoscaler: Autoscaler | undefined
  /** See {@link Consumption.sinceClaimMs}. */
  sinceClaimMs(this: void): number | undefined
  start(): Promise<void>
  /** Resolves when nothing more comes in. */
  stop(): Promise<void>
}

export interface SupplyParts {
  readonly settings: Settings
  readonly options: WorkerOptions
  readonly consumer: Consumer
  readonly pool: Pool
  readonly processor: Processor
  readonly log: Log
}

const HAND_BACK_EVERY_MS = 500

export function createSupply(parts: SupplyParts): Supply {
  const { settings, options, consumer, pool, processor, log } = parts
  const { load, lookAhead } = processor
  const now = (): number => performance.now()
  const multiplier = options.prefetchMultiplier ?? settings.workerPrefetchMultiplier
  const isAdaptive = multiplier === undefined
  const autoscaler =
    options.autoscale === undefined
      ? undefined
      : createAutoscaler({ pool, limits: options.autoscale, demand: processor.demand, now, log })
  // Who is to grow with the work has to see it.
  const slotCount = (): number => autoscaler?.max ?? pool.slots.concurrency
  const prefetch = isAdaptive
    ? adaptivePrefetch(slotCount, () => load.ended, now)
    : fixedPrefetch(slotCount, multiplier)
  const held = (): number => (isAdaptive ? load.unfinished : load.held)
  const consumption = createConsumption({
    consumer,
    prefetch: lookingAhead(prefetch, held, lookAhead),
    held,
    maxBytes: settings.workerPrefetchMaxBytes || Infinity,
    heldBytes: () => load.heldBytes,
    onRoom(listener) {
      load.onRoom(listener)
      pool.slots.onGrow(listener)
      lookAhead.onRoom(listener)
    },
    onDelivery:
      autoscaler === undefined
        ? (delivery) => processor.process(delivery)
        : (delivery) => {
            processor.process(delivery)
            autoscaler.look()
          },
    clock: systemClock,
    log,
  })
  let handingBack: NodeJS.Timeout | undefined

  return {
    prefetch,
    autoscaler,
    sinceClaimMs: () => consumption.sinceClaimMs(),
    async start() {
      await consumption.start()
      autoscaler?.start()
      if (isAdaptive) handingBack = startHandingBack(processor, () => slotCount() - pool.slots.concurrency)
    },
    async stop() {
      clearInterval(handingBack)
      autoscaler?.stop()
      await consumption.stop()
    },
  }
}

/** Calls with a concurrency limit have a worker claim more than it can begin, or less. */
function lookingAhead(prefetch: Prefetch, held: () => number, lookAhead: LookAhead): Prefetch {
  return {
    limit: () => held() + lookAhead.room(prefetch.limit() - held()),
    claimSize: prefetch.claimSize,
    claimed: prefetch.claimed,
    handedOver(count, ms) {
      prefetch.handedOver(count, ms)
      lookAhead.claimed(count)
    },
  }
}

/**
 * Hand back what does not begin soon after all: tasks that were claimed at the pace of short ones may turn out to be
 * long, or to wait behind such.
 *
 * @param slotsToCome - by which the pool may still grow.
 */
function startHandingBack(processor: Processor, slotsToCome: () => number): NodeJS.Timeout {
  let startedBefore = processor.counts().started
  return setInterval(() => {
    const { started, reserved } = processor.counts()
    const begun = started - startedBefore
    startedBefore = started
    // At this pace, these would not begin before the next look.
    void processor.handBack(reserved - begun - slotsToCome())
  }, HAND_BACK_EVERY_MS)
}
