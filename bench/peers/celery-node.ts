import path from 'node:path'
import { celeryCompleted, celeryWaiting, someCeleryState } from './celery-counts.js'
import { installedVersion } from './installed-version.js'
import { lovageFill } from './lovage.js'
import { SENDS_AT_ONCE, type Launch, type Peer, type Site } from './peer.js'

/** The older Celery client and worker for Node. */
export async function celeryNode(site: Site): Promise<Peer> {
  const program = path.join(site.programs, 'celery-node.js')
  const run = (role: string, ...args: number[]): Launch => ({
    command: process.execPath,
    args: [program, role, site.brokerUrl, site.backendUrl, ...args.map(String)],
  })
  return {
    name: 'celery-node',
    version: await installedVersion('node_modules/celery-node/package.json'),
    note: 'Never acknowledges: what it has read is lost when it dies. Its two log lines a task are switched off. Its `delay` cannot be awaited, and its `get` polls; it is measured polling every millisecond (its default is 500).',
    workers: [
      {
        label: 'celery-node',
        settings: [{ label: 'its only setting', launch: run('work') }],
        guessPerSecond: 5_000,
      },
    ],
    producers: [
      {
        label: 'celery-node `delay`, not awaited',
        pace: 'many at once',
        launch: (count) => run('send', count, SENDS_AT_ONCE),
        guessPerSecond: 10_000,
      },
    ],
    fill: (count) => lovageFill(site, count),
    roundTrip: {
      label: 'celery-node client and worker, polling every 1 ms',
      launch: (count) => run('round-trip', count),
    },
    waiting: celeryWaiting,
    completed: celeryCompleted,
    someState: someCeleryState,
  }
}
