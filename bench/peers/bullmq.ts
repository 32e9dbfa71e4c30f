import path from 'node:path'
import { installedVersion } from './installed-version.js'
import {
  SENDS_AT_ONCE,
  type Launch,
  type Peer,
  type ProducerLine,
  type Site,
  type WorkerSetting,
} from './peer.js'

/** BullMQ's own format: not compatible with Celery, but what users of Node compare with. */
export async function bullmq(site: Site): Promise<Peer> {
  const program = path.join(site.programs, 'bullmq.js')
  const run = (role: string, ...args: (string | number)[]): Launch => ({
    command: process.execPath,
    args: [program, role, site.brokerUrl, ...args.map(String)],
  })
  const concurrency = (value: number): WorkerSetting => ({
    label: `concurrency ${value}`,
    launch: run('work', value),
  })
  const producer = (what: string, role: string, atOnce: number, guessPerSecond: number): ProducerLine => ({
    label: `BullMQ ${what}`,
    pace: atOnce === 1 ? 'one at a time' : 'many at once',
    launch: (count) => run(role, count, atOnce),
    guessPerSecond,
  })
  return {
    name: 'BullMQ',
    version: await installedVersion('node_modules/bullmq/package.json'),
    note: 'Keeps each finished job with its result, its default; the best of several concurrencies is taken.',
    workers: [
      {
        label: 'BullMQ',
        settings: [concurrency(200), concurrency(1), concurrency(50), concurrency(500), concurrency(1000)],
        guessPerSecond: 10_000,
      },
    ],
    producers: [
      producer('`add`, one at a time', 'send', 1, 3_000),
      producer(`\`add\`, ${SENDS_AT_ONCE} at once`, 'send', SENDS_AT_ONCE, 10_000),
      producer(`\`addBulk\` of ${SENDS_AT_ONCE}`, 'send-bulk', SENDS_AT_ONCE, 10_000),
    ],
    fill: (count) => run('send-bulk', count, SENDS_AT_ONCE),
    roundTrip: {
      label: 'BullMQ `add` and `waitUntilFinished`',
      launch: (count) => run('round-trip', count),
    },
    waiting: ({ broker }) => broker.llen('bull:bench:wait'),
    completed: ({ broker }) => broker.zcard('bull:bench:completed'),
    // Failed ones are in a set of their own.
    someState: () => Promise.resolve('SUCCESS'),
  }
}
