import { expectation, notMeasured } from './report-lines.js'
import { reportEvents } from './report-events.js'
import { median } from './statistics.js'
import { table, whole } from './table.js'
import type { Comparison } from './compare.js'
import type { Extent } from './contenders.js'
import type { Line } from './attempts.js'
import type { Peer } from './peers/peer.js'
import type { RoundTrips } from './measure-round-trips.js'
import type { Throughput } from './measure-throughput.js'

export interface ReportParts {
  readonly machine: readonly string[]
  readonly extent: Extent
  readonly peers: readonly Peer[]
  /** Peers that were asked for and are not there, with the reason. */
  readonly absent: readonly string[]
  readonly comparison: Comparison
}

const OURS = 'Lovage'
/** How many times as fast as these the worker is expected to be. */
const EXPECTED = [
  { peer: 'Celery', times: 40 },
  { peer: 'celery-node', times: 4 },
  { peer: 'BullMQ', times: 1.6 },
]

/** The whole report, in Markdown. Ratios are the peer's figure and ours, so that more than 1 speaks for us. */
export function report({ machine, extent, peers, absent, comparison }: ReportParts): string {
  const { workers, tried, producers, roundTrips, canvases, events } = comparison
  const rounds = extent.rounds === 1 ? 'one round' : `the median of ${extent.rounds} rounds, in turns`
  return [
    '# Benchmarks',
    '',
    'Made by `npm run bench`. Speed and memory beside the peers, in one run, on one Redis: the ratios are what',
    'counts, and the absolute figures hold for this machine only.',
    '',
    ...machine.map((line) => `- ${line}`),
    ...peers.map(({ name, version, note }) => `- ${name} ${version}. ${note}`),
    ...absent.map((line) => `- Left out: ${line}`),
    '',
    `Each figure is ${rounds}, each of about ${extent.seconds} s. The tasks return their argument, and the result is`,
    'stored. For a worker the queue is filled first; then the worker is started, and its time runs from the first to',
    'the last result in Redis, which is asked for their number every 20 ms. A producer’s time runs from its first to',
    'its last message in the queue, in the same way. Processor time and memory are those of the worker’s or',
    'producer’s process and its children (memory: the most that was seen, shared pages counted once); Redis’s',
    'commands include those inside of scripts.',
    '',
    `“${OURS} is … times” is our speed through theirs, and “cost to ours” is theirs through ours; “–” is what cannot be`,
    'told, as one of both was not measured.',
    '',
    ...(workers === undefined ? [] : reportWorkers(workers, tried)),
    ...(producers === undefined ? [] : reportProducers(producers)),
    ...(roundTrips === undefined ? [] : reportRoundTrips(roundTrips)),
    ...(canvases === undefined ? [] : reportCanvases(canvases, extent)),
    ...(events === undefined ? [] : reportEvents(comparison, extent)),
  ].join('\n')
}

function reportWorkers(lines: readonly Line<Throughput>[], tried: readonly string[]): string[] {
  return [
    '## Workers',
    '',
    ...throughputTable(lines),
    '',
    ...[...tried.map((line) => `Settings tried: ${line}.`), ...expectations(lines)].flatMap((line) => [
      line,
      '',
    ]),
    ...notMeasured(lines),
  ]
}

function reportProducers(lines: readonly Line<Throughput>[]): string[] {
  return [
    '## Producers',
    '',
    'Each is held against ours of its kind: one that waits for each message before it sends the next against the',
    'same, one with many under way against the same.',
    '',
    ...throughputTable([...lines].sort((a, b) => b.kind.localeCompare(a.kind))),
    '',
    ...notMeasured(lines),
  ]
}

function reportRoundTrips(lines: readonly Line<RoundTrips>[]): string[] {
  const ours = lines.find(({ peer }) => peer === OURS)?.seen[0]
  return [
    '## Round trips of an idle worker',
    '',
    'One call after another: from sending a task until its result is there.',
    '',
    ...table(
      ['', 'p50, ms', 'p99, ms', 'p50 to ours'],
      lines.flatMap(({ label, seen }) =>
        seen.map(({ p50, p99 }) => [label, p50.toFixed(2), p99.toFixed(2), times(p50, ours?.p50)]),
      ),
    ),
    '',
    ...notMeasured(lines),
  ]
}

function reportCanvases(lines: readonly Line<number>[], { canvasSize }: Extent): string[] {
  const measured = lines
    .filter(({ seen }) => seen.length > 0)
    .map(({ peer, label, kind, seen }) => ({ peer, label, kind, ms: median(seen) }))
  return [
    '## Groups and chords',
    '',
    `One of ${whole(canvasSize)} tasks, from sending it until its result is there, with one worker that is idle before.`,
    '',
    ...table(
      ['', 'ms', `${OURS} is … times as fast`],
      measured.map(({ label, kind, ms }) => {
        const own = measured.find((each) => each.kind === kind && each.peer === OURS)
        return [label, whole(ms), times(ms, own?.ms)]
      }),
    ),
    '',
    ...notMeasured(lines),
  ]
}

/** A line of a table of throughputs: medians over the rounds. */
interface Measured extends Throughput {
  readonly peer: string
  readonly label: string
  readonly kind: string
  readonly slowest: number
  readonly fastest: number
}

function summary({ peer, label, kind, seen }: Line<Throughput>): Measured {
  const all = (figure: keyof Throughput): number[] => seen.map((run) => run[figure])
  return {
    peer,
    label,
    kind,
    perSecond: median(all('perSecond')),
    slowest: Math.min(...all('perSecond')),
    fastest: Math.max(...all('perSecond')),
    cpuMicrosPerTask: median(all('cpuMicrosPerTask')),
    memoryMegabytes: Math.max(...all('memoryMegabytes')),
    redisCpuMicrosPerTask: median(all('redisCpuMicrosPerTask')),
    redisCommandsPerTask: median(all('redisCommandsPerTask')),
    redisBytesPerTask: median(all('redisBytesPerTask')),
  }
}

function throughputTable(lines: readonly Line<Throughput>[]): string[] {
  const measured = lines.filter(({ seen }) => seen.length > 0).map(summary)
  const header = [
    ['', 'tasks/s', 'slowest to fastest round', `${OURS} is … times as fast`],
    ['CPU µs/task', 'CPU to ours', 'memory, MB', 'memory to ours'],
    ['Redis CPU µs/task', 'Redis commands/task', 'bytes/task'],
  ].flat()
  const rows = measured.map((line) => {
    const own = measured.find(({ peer, kind }) => peer === OURS && kind === line.kind)
    return [
      line.label,
      whole(line.perSecond),
      `${whole(line.slowest)} to ${whole(line.fastest)}`,
      times(own?.perSecond, line.perSecond),
      line.cpuMicrosPerTask.toFixed(1),
      times(line.cpuMicrosPerTask, own?.cpuMicrosPerTask),
      whole(line.memoryMegabytes),
      times(line.memoryMegabytes, own?.memoryMegabytes),
      line.redisCpuMicrosPerTask.toFixed(1),
      line.redisCommandsPerTask.toFixed(2),
      whole(line.redisBytesPerTask),
    ]
  })
  return table(header, rows)
}

function expectations(workers: readonly Line<Throughput>[]): string[] {
  const speed = (line: Line<Throughput>): number | undefined =>
    line.seen.length === 0 ? undefined : summary(line).perSecond
  const own = workers.find(({ peer }) => peer === OURS)
  if (own === undefined) return []
  return EXPECTED.flatMap(({ peer, times: expected }) => {
    const theirs = workers.find((line) => line.peer === peer)
    if (theirs === undefined) return []
    const [fast, slow] = [speed(own), speed(theirs)]
    const ratio = fast === undefined || slow === undefined ? undefined : fast / slow
    return [expectation(`${expected} × ${theirs.label}`, expected, ratio)]
  })
}

function times(value: number | undefined, by: number | undefined): string {
  if (value === undefined || by === undefined) return '–'
  const ratio = value / by
  return ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2)
}
