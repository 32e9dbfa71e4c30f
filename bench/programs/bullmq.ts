// bullmq.js work|send|send-bulk|round-trip REDIS [concurrency | count [at once]]
import { Queue, QueueEvents, Worker } from 'bullmq'
import { measureRoundTrips } from './measure-round-trips.js'

interface Echo {
  readonly number: number
}

const [role = '', url = '', size = '', atOnce = '1'] = process.argv.slice(2)
const connection = { url, maxRetriesPerRequest: null }
const name = 'bench'

switch (role) {
  case 'work':
    new Worker<Echo, number>(name, (job) => Promise.resolve(job.data.number), {
      connection,
      concurrency: Number(size),
    })
    break
  case 'send':
  case 'send-bulk': {
    const queue = new Queue<Echo, number>(name, { connection })
    const [count, most] = [Number(size), Number(atOnce)]
    for (let sent = 0; sent < count; sent += most) {
      const chunk = Math.min(most, count - sent)
      const jobs = Array.from({ length: chunk }, (_, i) => ({ name: 'echo', data: { number: sent + i } }))
      if (role === 'send-bulk') await queue.addBulk(jobs)
      else await Promise.all(jobs.map((job) => queue.add(job.name, job.data)))
    }
    break
  }
  case 'round-trip': {
    const queue = new Queue<Echo, number>(name, { connection })
    // From the start: it says that it is ready before it reads, and misses what is told in between.
    const events = new QueueEvents(name, { connection, lastEventId: '0' })
    await events.waitUntilReady()
    await measureRoundTrips(Number(size), async (number) =>
      (await queue.add('echo', { number })).waitUntilFinished(events),
    )
    break
  }
  default:
    throw new Error(`unknown role ${role}`)
}
