import { countIn, measureThroughput, runUntil, type Throughput } from './measure-throughput.js'
import { measureCanvas } from './measure-canvas.js'
import { measureEvents, measureLooks, type Slice } from './measure-events.js'
import { measureRoundTrips, type RoundTrips } from './measure-round-trips.js'
import type { Attempts, Contender } from './attempts.js'
import type { Floor, Peer, ProducerLine, Stores, WorkerLine, WorkerSetting } from './peers/peer.js'

/** How much is measured. */
export interface Extent {
  /** Each line is measured once a round. */
  readonly rounds: number
  /** What one measurement is to last about. */
  readonly seconds: number
  /** Whether to size tasks by a run that is not counted, and to choose the best of several settings by it. */
  readonly calibrates: boolean
  readonly roundTrips: number
  /** Tasks of a group, or of a chord's header. */
  readonly canvasSize: number
  /** Tasks of a worker that turns events on and off, and for how long each time. */
  readonly eventTasks: number
  readonly eventSliceMs: number
}

/** What is measured, and with what. */
export interface Bench {
  readonly peers: readonly Peer[]
  readonly floor: Floor
  readonly stores: Stores
  readonly extent: Extent
  readonly attempts: Attempts
}

/** For starting and filling: without any progress, a measurement ends sooner. */
const STARTING_MS = 60_000
/** A machine may be as many times slower as when it was sized. */
const PATIENCE = 20
/** Celery's chord takes 16 ms a task, and more the larger it is. */
const CANVAS_MS_PER_TASK = 60
const ROUND_TRIP_MS = 50

/** Databases that hold nothing. */
const clear = ({ broker }: Stores): Promise<unknown> => broker.flushall('SYNC')

const tasksFor = (perSecond: number, seconds: number): number =>
  Math.max(100, Math.round(perSecond * seconds))
const longestFor = (seconds: number): number => STARTING_MS + PATIENCE * seconds * 1000
const calibrationSeconds = ({ seconds }: Extent): number => Math.min(2, seconds)

/** @param tried - Gets what was seen when settings were tried, one line for each worker that has several. */
export async function workerContenders(bench: Bench, tried: string[]): Promise<Contender<Throughput>[]> {
  const contenders: Contender<Throughput>[] = []
  for (const peer of bench.peers)
    for (const line of peer.workers) contenders.push(await workerContender(bench, tried, peer, line))
  return contenders
}

/** The best setting, and how many tasks keep it busy for long enough. */
async function workerContender(
  { stores, extent, attempts }: Bench,
  tried: string[],
  peer: Peer,
  line: WorkerLine,
): Promise<Contender<Throughput>> {
  const work = async (setting: WorkerSetting, tasks: number, signal: AbortSignal): Promise<Throughput> => {
    await clear(stores)
    await runUntil(peer.fill(tasks), countIn(stores, peer.waiting), tasks, signal)
    const completed = countIn(stores, peer.completed)
    const measured = await measureThroughput(setting.launch, completed, tasks, stores, { signal })
    const state = await peer.someState(stores)
    if (state !== 'SUCCESS') throw new Error(`a task ended as ${state}`)
    return measured
  }
  let [best] = line.settings
  let [speed, remarks] = [0, [] as string[]]
  for (const setting of extent.calibrates ? line.settings : []) {
    const seconds = calibrationSeconds(extent)
    const outcome = await attempts.attempt(
      `trying ${line.label}, ${setting.label}`,
      longestFor(seconds),
      (signal) => work(setting, tasksFor(line.guessPerSecond, seconds), signal),
    )
    const perSecond = 'seen' in outcome ? outcome.seen.perSecond : 0
    if (perSecond > speed) [best, speed] = [setting, perSecond]
    const remark = 'seen' in outcome ? `${Math.round(perSecond)}/s` : `not measured: ${outcome.failure}`
    remarks = [...remarks, `${setting.label}: ${remark}`]
  }
  if (remarks.length > 1) tried.push(`${line.label}, ${remarks.join('; ')}`)
  const tasks = tasksFor(speed === 0 ? line.guessPerSecond : speed, extent.seconds)
  return {
    peer: peer.name,
    label: `${line.label}, ${best.label}`,
    kind: 'worker',
    longestMs: longestFor(extent.seconds),
    measure: (signal) => work(best, tasks, signal),
  }
}

export async function producerContenders(bench: Bench): Promise<Contender<Throughput>[]> {
  const contenders: Contender<Throughput>[] = []
  for (const peer of bench.peers)
    for (const line of peer.producers) contenders.push(await producerContender(bench, peer, line))
  return contenders
}

async function producerContender(
  { stores, extent, attempts }: Bench,
  peer: Peer,
  line: ProducerLine,
): Promise<Contender<Throughput>> {
  const send = async (tasks: number, signal: AbortSignal): Promise<Throughput> => {
    await clear(stores)
    return measureThroughput(line.launch(tasks), countIn(stores, peer.waiting), tasks, stores, { signal })
  }
  let perSecond = line.guessPerSecond
  if (extent.calibrates) {
    const seconds = calibrationSeconds(extent)
    const few = tasksFor(line.guessPerSecond, seconds)
    const outcome = await attempts.attempt(`trying ${line.label}`, longestFor(seconds), (signal) =>
      send(few, signal),
    )
    if ('seen' in outcome) ({ perSecond } = outcome.seen)
  }
  return {
    peer: peer.name,
    label: line.label,
    kind: line.pace,
    longestMs: longestFor(extent.seconds),
    measure: (signal) => send(tasksFor(perSecond, extent.seconds), signal),
  }
}

export function roundTripContenders({ peers, floor, stores, extent }: Bench): Contender<RoundTrips>[] {
  const pairs = peers.map(({ name, workers: [line], roundTrip }) => ({
    peer: name,
    label: roundTrip.label,
    worker: line.settings[0].launch,
    client: roundTrip.launch,
  }))
  return [...pairs, { peer: 'the floor', ...floor }].map(({ peer, label, worker, client }) => ({
    peer,
    label,
    kind: 'round trip',
    longestMs: STARTING_MS + ROUND_TRIP_MS * extent.roundTrips,
    async measure(signal) {
      await clear(stores)
      return measureRoundTrips(worker, client(extent.roundTrips), signal)
    },
  }))
}

/** @returns those that measure milliseconds from sending it until its result is there. */
export function canvasContenders({ peers, stores, extent }: Bench): Contender<number>[] {
  return (['group', 'chord'] as const).flatMap((kind) =>
    peers.flatMap(({ name, workers: [line], canvas }) => {
      if (canvas === undefined) return []
      const worker = line.settings[0].launch
      return {
        peer: name,
        label: `${canvas.label}, ${kind}`,
        kind,
        longestMs: STARTING_MS + CANVAS_MS_PER_TASK * extent.canvasSize,
        async measure(signal: AbortSignal) {
          await clear(stores)
          return measureCanvas(worker, canvas.launch(kind, extent.canvasSize), signal)
        },
      }
    }),
  )
}

export function eventContenders({ peers, stores, extent }: Bench): Contender<readonly Slice[]>[] {
  return peers.flatMap((peer) => {
    const { events } = peer
    if (events === undefined) return []
    const contender = (label: string, listener?: typeof events.listener): Contender<readonly Slice[]> => ({
      peer: peer.name,
      label,
      kind: 'events',
      longestMs: longestFor(extent.seconds),
      async measure(signal) {
        await clear(stores)
        await runUntil(peer.fill(extent.eventTasks), countIn(stores, peer.waiting), extent.eventTasks, signal)
        const worker = events.worker(extent.eventTasks, extent.eventSliceMs)
        const slices = await measureEvents(worker, listener, signal)
        return slices
      },
    })
    return [contender('nobody listens'), contender('one listens', events.listener)]
  })
}

/** @returns those that measure nanoseconds. */
export function lookContenders({ peers }: Bench): Contender<number>[] {
  return peers.flatMap(({ name, events }) =>
    events === undefined
      ? []
      : {
          peer: name,
          label: 'a look whether anybody watches',
          kind: 'look',
          longestMs: STARTING_MS,
          measure: (signal: AbortSignal) => measureLooks(events.look, signal),
        },
  )
}
