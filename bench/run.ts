/**
 * Lovage beside Python Celery, celery-node and BullMQ, in one run on one private Redis; needs Linux.
 *
 *     npm run bench                             the whole comparison, some minutes
 *     npm run bench -- --quick                  one short round, to see that everything runs
 *     npm run bench -- --peers lovage,bullmq    some peers only; lovage, celery, celery-node, bullmq
 *     npm run bench -- --built                  dist/ is up to date
 *     npm run bench -- --output FILE            @default bench/results.md; a quick run writes none
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { buildDist } from '../scripts/build.js'
import { obtainCelery } from '../tests/setup/celery.js'
import { startRedis } from '../tests/support/redis-server.js'
import { compare, type Extent } from './compare.js'
import { compilePrograms } from './compile-programs.js'
import { describeMachine } from './describe-machine.js'
import { bullmq } from './peers/bullmq.js'
import { celeryNode } from './peers/celery-node.js'
import { floor } from './peers/floor.js'
import { lovage } from './peers/lovage.js'
import { pythonCelery } from './peers/python-celery.js'
import { report } from './report.js'
import type { Peer, Site } from './peers/peer.js'

const FULL: Extent = { rounds: 3, seconds: 5, calibrates: true, roundTrips: 1000, canvasSize: 10_000 }
const QUICK: Extent = { rounds: 1, seconds: 0.2, calibrates: false, roundTrips: 20, canvasSize: 50 }

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
    output: { type: 'string' },
    built: { type: 'boolean', default: false },
  },
})
const extent = values.quick ? QUICK : FULL
const output = values.output ?? (values.quick ? undefined : 'bench/results.md')
const say = (line: string): void => console.error(`bench: ${line}`)

if (!values.built) {
  say('building')
  await buildDist()
}
await using redis = await startRedis()
const site: Site = {
  brokerUrl: redis.url,
  backendUrl: redis.url.replace(/\/0$/, '/1'),
  programs: await compilePrograms(),
}
const stores = { broker: new Redis(site.brokerUrl), backend: new Redis(site.backendUrl) }
try {
  const machine = await describeMachine(stores.broker)
  const peers: Peer[] = []
  const absent: string[] = []
  for (const name of values.peers.split(',')) {
    const create = PEERS[name]
    if (create === undefined)
      throw new Error(`no peer ${name}; expected some of ${Object.keys(PEERS).join(', ')}`)
    const peer = await create(site)
    if (typeof peer === 'string') absent.push(`${name}: ${peer}`)
    else peers.push(peer)
  }
  const comparison = await compare(peers, floor(site), stores, extent, say)
  const text = report({ machine, extent, peers, absent, comparison })
  if (output !== undefined) await writeFile(output, text)
  console.log(text)
} finally {
  stores.broker.disconnect()
  stores.backend.disconnect()
}
