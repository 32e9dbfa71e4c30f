/**
 * Lovage beside Python Celery, celery-node and BullMQ, in one run on one private Redis; needs Linux.
 *
 *     npm run bench                             the whole comparison, some minutes
 *     npm run bench -- --quick                  one short round, to see that everything runs
 *     npm run bench -- --peers lovage,bullmq    some peers only; lovage, celery, celery-node, bullmq
 *     npm run bench -- --only events            some sections only; workers, producers, round-trips, canvases, events
 *     npm run bench -- --built                  dist/ is up to date
 *     npm run bench -- --output FILE            @default bench/results.md; with --quick or --only none is written
 *
 * What fails, takes too long or is cut off by SIGINT or SIGTERM is named in the report, with its reason, and the exit
 * code is not 0 then. A second signal ends the bench at once, without a report.
 */
import { writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { buildDist } from '../scripts/build.js'
import { REPEAT_MS, stopRequested } from '../src/stop-requested.js'
import { obtainCelery } from '../tests/setup/celery.js'
import { startRedis } from '../tests/support/redis-server.js'
import { createAttempts } from './attempts.js'
import { compare, SECTIONS, type Section } from './compare.js'
import { compilePrograms } from './compile-programs.js'
import { describeMachine } from './describe-machine.js'
import { bullmq } from './peers/bullmq.js'
import { celeryNode } from './peers/celery-node.js'
import { floor } from './peers/floor.js'
import { lovage } from './peers/lovage.js'
import { pythonCelery } from './peers/python-celery.js'
import { report } from './report.js'
import type { Extent } from './contenders.js'
import type { Peer, Site } from './peers/peer.js'

const FULL: Extent = {
  rounds: 3,
  seconds: 5,
  calibrates: true,
  roundTrips: 1000,
  canvasSize: 10_000,
  eventTasks: 400_000,
  eventSliceMs: 250,
}
const QUICK: Extent = {
  rounds: 1,
  seconds: 0.2,
  calibrates: false,
  roundTrips: 20,
  canvasSize: 50,
  eventTasks: 20_000,
  eventSliceMs: 20,
}

/** A text is the reason why there is none. */
const PEERS: Readonly<Record<string, (site: Site) => Promise<Peer | string>>> = {
  lovage,
  celery: async (site) => {
    const { env } = await obtainCelery()
    const python = env['CELERY_PYTHON']
    return python === undefined ? (env['TEST_WITHOUT_CELERY'] ?? 'no Celery') : pythonCelery(site, python)
  },
  'celery-node': celeryNode,
  bullmq,
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    peers: { type: 'string', default: Object.keys(PEERS).join(',') },
    only: { type: 'string' },
    output: { type: 'string' },
    built: { type: 'boolean', default: false },
  },
})
/** Celery may have to be installed. */
const PREPARING_MS = 600_000

const extent = values.quick ? QUICK : FULL
const isWhole = !values.quick && values.only === undefined
const output = values.output ?? (isWhole ? 'bench/results.md' : undefined)
const sections = values.only === undefined ? SECTIONS : values.only.split(',').map(sectionNamed)
const creators = values.peers.split(',').map(peerNamed)
const say = (line: string): void => console.error(`bench: ${line}`)

function sectionNamed(name: string): Section {
  const section = SECTIONS.find((each) => each === name)
  if (section === undefined) throw new Error(`no section ${name}; expected some of ${SECTIONS.join(', ')}`)
  return section
}

function peerNamed(name: string): {
  readonly name: string
  readonly create: (site: Site) => Promise<Peer | string>
} {
  const create = PEERS[name]
  if (create === undefined)
    throw new Error(`no peer ${name}; expected some of ${Object.keys(PEERS).join(', ')}`)
  return { name, create }
}

if (!values.built) {
  say('building')
  await buildDist()
}
const interruption = new AbortController()
const log = { info: (_fields: Record<string, unknown>, message: string): void => say(message) }
void stopRequested(log, { repeatMs: REPEAT_MS }).then((signal) => {
  process.exitCode = 128 + constants.signals[signal]
  interruption.abort(new Error(`interrupted by ${signal}`))
})

await using redis = await startRedis()
const site: Site = {
  brokerUrl: redis.url,
  backendUrl: redis.url.replace(/\/0$/, '/1'),
  programs: await compilePrograms(),
}
const stores = { broker: new Redis(site.brokerUrl), backend: new Redis(site.backendUrl) }
try {
  const machine = await describeMachine(stores.broker)
  const attempts = createAttempts(interruption.signal, say)
  const peers: Peer[] = []
  const absent: string[] = []
  for (const { name, create } of creators) {
    const outcome = await attempts.attempt(`preparing ${name}`, PREPARING_MS, () => create(site))
    const peer = 'seen' in outcome ? outcome.seen : outcome.failure
    if (typeof peer === 'string') absent.push(`${name}: ${peer}`)
    else peers.push(peer)
  }
  const comparison = await compare({ peers, floor: floor(site), stores, extent, attempts }, sections)
  const text = report({ machine, extent, peers, absent, comparison })
  if (output !== undefined) await writeFile(output, text)
  console.log(text)
  if (attempts.failed() > 0) {
    say(`${attempts.failed()} measurements failed; see "Not measured"`)
    process.exitCode ??= 1
  }
} finally {
  stores.broker.disconnect()
  stores.backend.disconnect()
}
