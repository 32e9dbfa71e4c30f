import { table, whole } from './table.js'
import type { Comparison, Extent, Measured } from './compare.js'
import type { Peer } from './peers/peer.js'

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
  { line: 'Celery prefork', times: 40 },
  { line: 'celery-node', times: 4 },
  { line: 'BullMQ', times: 1.6 },
]
const WITH_EVENTS = `${OURS} with events`
/** What is left of the throughput at least when events are on. */
const LEFT_WITH_EVENTS = 0.85

/** The whole report, in Markdown. Ratios are the peer's figure and ours, so that more than 1 speaks for us. */
export function report({ machine, extent, peers, absent, comparison }: ReportParts): string {
  const { workers, producers, roundTrips, canvases, tried } = comparison
  const rounds = extent.rounds === 1 ? 'one round' : `the median of ${extent.rounds} rounds, in turns`
  const ours = roundTrips.find(({ label }) => label.startsWith(OURS))
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
    `“${OURS} is … times” is our speed through theirs, and “cost to ours” is theirs through ours.`,
    '',
    '## Workers',
    '',
    ...throughputTable(workers),
    '',
    ...[...tried.map((line) => `Settings tried: ${line}.`), ...expectations(workers)].flatMap((line) => [
      line,
      '',
    ]),
    '## Producers',
    '',
    'Each is held against ours of its kind: one that waits for each message before it sends the next against the',
    'same, one with many under way against the same.',
    '',
    ...throughputTable([...producers].sort((a, b) => b.kind.localeCompare(a.kind))),
    '',
    '## Round trips of an idle worker',
    '',
    'One call after another: from sending a task until its result is there.',
    '',
    ...table(
      ['', 'p50, ms', 'p99, ms', 'p50 to ours'],
      roundTrips.map(({ label, p50, p99 }) => [label, p50.toFixed(2), p99.toFixed(2), times(p50, ours?.p50)]),
    ),
    '',
    '## Groups and chords',
    '',
    `One of ${whole(extent.canvasSize)} tasks, from sending it until its result is there, with one worker that is idle before.`,
    '',
    ...table(
      ['', 'ms', `${OURS} is … times as fast`],
      canvases.map(({ label, kind, ms }) => {
        const own = canvases.find((each) => each.kind === kind && each.label === OURS)
        return [`${label}, ${kind}`, whole(ms), times(ms, own?.ms)]
      }),
    ),
    '',
  ].join('\n')
}

function throughputTable(lines: readonly Measured[]): string[] {
  const header = [
    ['', 'tasks/s', 'slowest to fastest round', `${OURS} is … times as fast`],
    ['CPU µs/task', 'CPU to ours', 'memory, MB', 'memory to ours'],
    ['Redis CPU µs/task', 'Redis commands/task', 'bytes/task'],
  ].flat()
  const rows = lines.map((line) => {
    const own = lines.find(({ peer, kind }) => peer === OURS && kind === line.kind)
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

function expectations(workers: readonly Measured[]): string[] {
  const own = workers.find(({ peer }) => peer === OURS)
  if (own === undefined) return []
  const withLabel = (start: string): Measured | undefined =>
    workers.find(({ label }) => label.startsWith(start))
  const besidePeers = EXPECTED.flatMap(({ line, times: expected }) => {
    const peer = withLabel(line)
    return peer === undefined
      ? []
      : [expectation(`${expected} × ${peer.label}`, expected, own.perSecond / peer.perSecond)]
  })
  const eventful = withLabel(WITH_EVENTS)
  if (eventful === undefined) return besidePeers
  const left = eventful.perSecond / own.perSecond
  return [...besidePeers, expectation(`${LEFT_WITH_EVENTS} of it with events`, LEFT_WITH_EVENTS, left)]
}

function expectation(what: string, expected: number, ratio: number): string {
  const verdict = ratio >= expected ? 'reached' : 'NOT reached'
  return `Expected: at least ${what}; ${verdict}, with ${ratio.toFixed(2)}.`
}

function times(value: number | undefined, by: number | undefined): string {
  if (value === undefined || by === undefined) return '–'
  const ratio = value / by
  return ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2)
}
