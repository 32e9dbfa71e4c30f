import type { Clock } from '../clock.js'
import type { Consumer } from '../broker/broker.js'
import type { Log } from '../log.js'
import type { ResultBackend, StoredResult } from '../results/result-backend.js'

/** What there is to record of one message: results first, then its acknowledgement. */
export interface Settlement {
  readonly result?: StoredResult | undefined
  /** Delivery tag to acknowledge after the result is stored; undefined leaves the message held. */
  readonly ack?: string | undefined
  /** Called when all of it is recorded. */
  readonly onSettled?: (() => void) | undefined
}

export interface Settler {
  add(settlement: Settlement): void
  /** Resolves when everything added so far is recorded. */
  flush(): Promise<void>
  /** Stop trying; what is not recorded yet stays unacked and is delivered again. */
  abandon(): void
}

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2000

/**
 * Records results and acknowledgements in batches: while one is on its way, the next gathers. So a lone task is
 * recorded at once, and under load a round trip serves hundreds.
 *
 * A batch that fails is tried again until it succeeds: results are stored before any of their messages is
 * acknowledged, and both steps may be repeated without harm.
 */
export function createSettler(parts: {
  readonly backend: ResultBackend
  readonly consumer: Consumer
  readonly clock: Clock
  readonly log: Log
}): Settler {
  const { backend, consumer, clock, log } = parts
  const abandoned = new AbortController()
  let gathering: Settlement[] = []
  let recording: Promise<void> | undefined

  const record = async (batch: readonly Settlement[]): Promise<void> => {
    const results: StoredResult[] = []
    const tags: string[] = []
    for (const { result, ack } of batch) {
      if (result !== undefined) results.push(result)
      if (ack !== undefined) tags.push(ack)
    }
    if (results.length > 0) await persist('store results', () => backend.store(results))
    if (tags.length > 0) await persist('acknowledge', () => consumer.ack(tags))
    if (abandoned.signal.aborted) return
    for (const { onSettled } of batch) onSettled?.()
  }

  const persist = async (what: string, action: () => Promise<void>): Promise<void> => {
    for (let pauseMs = FIRST_PAUSE_MS; !abandoned.signal.aborted; pauseMs *= 2) {
      try {
        await action()
        return
      } catch (error) {
        log.warn({ err: error }, `could not ${what}; trying again`)
        await clock.sleep(Math.random() * Math.min(pauseMs, LONGEST_PAUSE_MS), abandoned.signal)
      }
    }
  }

  const run = async (): Promise<void> => {
    // All that ends in this turn of the event loop goes together.
    await new Promise((resolve) => setImmediate(resolve))
    while (gathering.length > 0 && !abandoned.signal.aborted) {
      const batch = gathering
      gathering = []
      await record(batch)
    }
    recording = undefined
  }

  return {
    add(settlement) {
      gathering.push(settlement)
      recording ??= run()
    },
    async flush() {
      while (recording !== undefined) await recording
    },
    abandon() {
      abandoned.abort()
    },
  }
}
