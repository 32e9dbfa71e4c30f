import { Gauge, type Registry } from 'prom-client'
import type { Broker } from '../../broker/broker.js'

const SCRAPE_LIMIT_MS = 1000

/** Length of the worker's queues, looked at when it is asked for; one that is not known is left out. */
export function addQueueMetrics(registry: Registry, broker: Broker, queues: () => readonly string[]): void {
  new Gauge({
    name: 'celery_queue_length',
    help: 'Messages that wait in the queue.',
    labelNames: ['queue_name'],
    registers: [registry],
    async collect() {
      this.reset()
      await Promise.all(
        queues().map(async (queue) => {
          const length = await within(broker.queueLength(queue))
          if (length !== undefined) this.set({ queue_name: queue }, length)
        }),
      )
    },
  })
}

async function within<Value>(reading: Promise<Value>): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), SCRAPE_LIMIT_MS)
  })
  const read = reading.catch(() => undefined)
  return Promise.race([read, limit]).finally(() => clearTimeout(timer))
}
