/**
 * How the worker's speed holds as processes, waiting messages, payloads and queues grow; on one private Redis, Linux.
 *
 *     npm run bench:scaling                 all of it, some minutes and 3 GB of memory
 *     npm run bench:scaling -- --quick      small sizes, to see that everything runs; writes nothing
 *     npm run bench:scaling -- --built      dist/ is up to date
 *     npm run bench:scaling -- --output DIRECTORY   @default bench; scaling.md and plots/*.svg go there
 */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { buildDist } from '../scripts/build.js'
import { startRedis } from '../tests/support/redis-server.js'
import { compilePrograms } from './compile-programs.js'
import { describeMachine } from './describe-machine.js'
import { measureThroughput, type Throughput } from './measure-throughput.js'
import { barPlot } from './plot.js'
import { start } from './start.js'
import { table, whole } from './table.js'
import type { Launch, Stores } from './peers/peer.js'

/** One measurement. */
interface Load {
  readonly label: string
  readonly processes: number
  readonly queues: number
  readonly bytes: number
  /** Messages that wait when the worker starts, and how many of them are measured. */
  readonly waiting: number
  readonly measured: number
}

interface Sweep {
  readonly name: string
  readonly title: string
  readonly remark: string
  readonly loads: readonly Load[]
}

const CONCURRENCY = 100

/** @param size - 1 for the whole; less for a look whether everything runs. */
function sweeps(size: number): readonly Sweep[] {
  const few = (count: number): number => Math.max(100, Math.round(count * size))
  const load = (label: string, given: Partial<Load> = {}): Load => {
    const measured = few(given.measured ?? 60_000)
    return { label, processes: 1, queues: 1, bytes: 20, waiting: measured, ...given, measured }
  }
  return [
    {
      name: 'processes',
      title: 'Worker processes',
      remark: 'Redis and the bench itself need a part of the cores, too.',
      loads: [1, 2, 4].map((processes) =>
        load(`${processes} process${processes === 1 ? '' : 'es'}`, { processes }),
      ),
    },
    {
      name: 'depth',
      title: 'Messages waiting behind those that are measured',
      remark: 'The same number of tasks is measured each time; the rest stays in the queue.',
      loads: [100, 10_000, 1_000_000].map((depth) =>
        load(whole(depth), { waiting: few(60_000) + few(depth) }),
      ),
    },
    {
      name: 'payload',
      title: 'Bytes of the argument',
      remark: 'A message is a third larger than its argument, for its base64.',
      loads: [
        load('100 B', { bytes: 100 }),
        load('10 kB', { bytes: 10_000, measured: 20_000 }),
        load('1 MB', { bytes: 1_000_000, measured: 400 }),
      ],
    },
    {
      name: 'queues',
      title: 'Queues that the worker consumes',
      remark: 'The tasks are spread evenly over them.',
      loads: [1, 10, 100].map((queues) => load(`${queues} queue${queues === 1 ? '' : 's'}`, { queues })),
    },
  ]
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    built: { type: 'boolean', default: false },
    output: { type: 'string' },
  },
})
const output = values.output ?? (values.quick ? undefined : 'bench')
const say = (line: string): void => console.error(`bench: ${line}`)

if (!values.built) {
  say('building')
  await buildDist()
}
const programs = await compilePrograms()
await using redis = await startRedis()
const [brokerUrl, backendUrl] = [redis.url, redis.url.replace(/\/0$/, '/1')]
const stores: Stores = { broker: new Redis(brokerUrl), backend: new Redis(backendUrl) }

const program = (role: string, ...sizes: number[]): Launch => ({
  command: process.execPath,
  args: [path.join(programs, 'lovage-load.js'), role, brokerUrl, backendUrl, ...sizes.map(String)],
})

/** As many of it as asked for, in one process group. */
function several(count: number, { command, args }: Launch): Launch {
  const loop = `for i in $(seq ${count}); do "$@" & done; wait`
  return { command: 'sh', args: ['-c', loop, 'sh', command, ...args] }
}

async function measure({ processes, queues, bytes, waiting, measured }: Load): Promise<Throughput> {
  await stores.broker.flushall('SYNC')
  await using filling = start(program('fill', waiting, bytes, queues))
  const { code } = await filling.exit
  if (code !== 0) throw new Error(`could not fill the queues; it printed:\n${filling.output()}`)
  const worker = several(processes, program('work', CONCURRENCY, queues))
  return measureThroughput(worker, () => stores.backend.dbsize(), measured, stores, {
    surplus: 'more may be done',
  })
}

try {
  const machine = await describeMachine(stores.broker)
  const sections: string[] = []
  const plots: { readonly name: string; readonly svg: string }[] = []
  for (const { name, title, remark, loads } of sweeps(values.quick ? 0.05 : 1)) {
    const seen: (readonly [Load, Throughput])[] = []
    for (const load of loads) {
      say(`${title}: ${load.label}`)
      seen.push([load, await measure(load)])
    }
    const first = seen[0]?.[1].perSecond ?? NaN
    const header = [
      '',
      'tasks/s',
      'to the first',
      'CPU µs/task',
      'Redis CPU µs/task',
      'memory, MB',
      'bytes/task',
    ]
    const rows = seen.map(([{ label }, each]) => [
      label,
      whole(each.perSecond),
      (each.perSecond / first).toFixed(2),
      each.cpuMicrosPerTask.toFixed(1),
      each.redisCpuMicrosPerTask.toFixed(1),
      whole(each.memoryMegabytes),
      whole(each.redisBytesPerTask),
    ])
    const bars = seen.map(([{ label }, { perSecond }]) => ({ label, value: perSecond }))
    plots.push({ name, svg: barPlot(title, 'tasks/s', bars) })
    sections.push(
      `## ${title}`,
      '',
      `![${title}](plots/${name}.svg)`,
      '',
      ...table(header, rows),
      '',
      remark,
      '',
    )
  }
  const text = [
    '# How speed scales',
    '',
    'Made by `npm run bench:scaling`: one measurement each, results stored, late acknowledgement.',
    '',
    ...machine.map((line) => `- ${line}`),
    '',
    ...sections,
  ].join('\n')
  if (output !== undefined) {
    await mkdir(path.join(output, 'plots'), { recursive: true })
    await writeFile(path.join(output, 'scaling.md'), text)
    for (const { name, svg } of plots) await writeFile(path.join(output, 'plots', `${name}.svg`), svg)
  }
  console.log(text)
} finally {
  stores.broker.disconnect()
  stores.backend.disconnect()
}
