import { Gauge, type Registry } from 'prom-client'
import { createOldestMessages } from './oldest-message.js'
import { within } from './within.js'
import type { Broker } from '../broker/broker.js'

const SCRAPE_LIMIT_MS = 1000

/** Metrics of what is kept in the broker, the same for all who look. */
export interface QueueMetrics {
  /**
   * Look; to be called before the registry is asked. What cannot be read within a second is left out: a dashboard shows a
   * gap then, and no 0. Never rejects.
   */
  read(): Promise<void>
  /** What could not be read the last time, for people; undefined where all could. */
  readonly failure: string | undefined
}

export function addQueueMetrics(
  registry: Registry,
  broker: Broker,
  queues: () => readonly string[],
): QueueMetrics {
  const registers = [registry]
  const ofQueue = (name: string, help: string): Gauge<'queue_name'> =>
    new Gauge({ name, help, labelNames: ['queue_name'], registers })
  // The name that celery-exporter's dashboards ask for.
  const length = ofQueue('celery_queue_length', 'Messages that wait in the queue, over all priorities.')
  const scheduled = ofQueue(
    'lovage_queue_scheduled',
    'Messages of the queue that wait for their ETA in Redis.',
  )
  const age = ofQueue(
    'lovage_queue_oldest_message_age_seconds',
    'For how long the oldest message of the queue has waited; of those of other clients at least.',
  )
  const unacked = new Gauge({
    name: 'lovage_unacked_messages',
    help: 'Messages of all queues that workers hold.',
    registers,
  })
  const deadLetters = new Gauge({ name: 'lovage_dead_letters', help: 'Messages set aside.', registers })
  const scrapeErrors = new Gauge({
    name: 'lovage_scrape_errors',
    help: 'What could not be read for this scrape and is left out of it.',
    registers,
  })
  const oldest = createOldestMessages()
  let failure: string | undefined

  return {
    get failure() {
      return failure
    },
    async read() {
      const [backlog, dead] = await Promise.allSettled([
        within(SCRAPE_LIMIT_MS, broker.backlog(queues())),
        within(SCRAPE_LIMIT_MS, broker.deadLetters.count()),
      ])
      for (const gauge of [length, scheduled, age]) gauge.reset()
      for (const gauge of [unacked, deadLetters]) gauge.remove()
      if (dead.status === 'fulfilled') deadLetters.set(dead.value)
      if (backlog.status === 'fulfilled') {
        unacked.set(backlog.value.unacked)
        for (const queue of backlog.value.queues) {
          const labels = { queue_name: queue.queue }
          length.set(labels, queue.length)
          scheduled.set(labels, queue.scheduled)
          age.set(labels, oldest.ageMs(queue, backlog.value) / 1000)
        }
      }
      const failures = [backlog, dead].filter((reading) => reading.status === 'rejected')
      scrapeErrors.set(failures.length)
      const [first] = failures
      failure = first && (first.reason instanceof Error ? first.reason.message : String(first.reason))
    },
  }
}
