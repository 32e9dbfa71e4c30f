import path from 'node:path'
import { installedVersion } from './installed-version.js'
import { celeryCompleted, celeryWaiting, someCeleryState } from './celery-counts.js'
import { SENDS_AT_ONCE, type Launch, type Peer, type Site } from './peer.js'

const CONCURRENCY = 100

/** This runtime, as it is built into dist/. */
export async function lovage(site: Site): Promise<Peer> {
  const run = (role: string, ...args: number[]): Launch => lovageProgram(site, 'lovage.js', role, ...args)
  const events = (role: string, ...args: number[]): Launch =>
    lovageProgram(site, 'lovage-events.js', role, ...args)
  return {
    name: 'Lovage',
    version: await installedVersion('package.json'),
    note: 'Acknowledges each message after its result is stored (late ack), and claims messages without a gap in which they could be lost.',
    workers: [
      {
        label: 'Lovage',
        settings: [{ label: `concurrency ${CONCURRENCY}`, launch: run('work', CONCURRENCY) }],
        guessPerSecond: 20_000,
      },
    ],
    producers: [
      {
        label: 'Lovage `delay`, one at a time',
        pace: 'one at a time',
        launch: (count) => run('send', count, 1),
        guessPerSecond: 3_000,
      },
      {
        label: `Lovage \`delay\`, ${SENDS_AT_ONCE} at once`,
        pace: 'many at once',
        launch: (count) => run('send', count, SENDS_AT_ONCE),
        guessPerSecond: 20_000,
      },
    ],
    fill: (count) => lovageFill(site, count),
    roundTrip: { label: 'Lovage client, Lovage worker', launch: (count) => run('round-trip', count) },
    canvas: { label: 'Lovage', launch: (kind, size) => run(kind, size) },
    events: {
      worker: (tasks, sliceMs) => events('toggle', CONCURRENCY, tasks, sliceMs),
      listener: events('listen'),
      look: events('look'),
    },
    waiting: celeryWaiting,
    completed: celeryCompleted,
    someState: someCeleryState,
  }
}

/** The fastest way to fill a queue for anyone who reads Celery's messages. */
export function lovageFill(site: Site, count: number): Launch {
  return lovageProgram(site, 'lovage.js', 'send', count, SENDS_AT_ONCE)
}

function lovageProgram(site: Site, name: string, role: string, ...args: number[]): Launch {
  const program = path.join(site.programs, name)
  return {
    command: process.execPath,
    args: [program, role, site.brokerUrl, site.backendUrl, ...args.map(String)],
  }
}
