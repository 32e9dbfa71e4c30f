import { countIn, measureThroughput, runUntil, type Throughput } from './measure-throughput.js'
import { measureRoundTrips, type RoundTrips } from './measure-round-trips.js'
import { measureCanvas } from './measure-canvas.js'
import { median } from './statistics.js'
import type {
  CanvasKind,
  Floor,
  Peer,
  ProducerLine,
  Stores,
  WorkerLine,
  WorkerSetting,
} from './peers/peer.js'

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
}

/** A line of a table: medians over the rounds. */
export interface Measured extends Throughput {
  readonly peer: string
  readonly label: string
  /** Lines are compared with ours of the same kind. */
  readonly kind: string
  readonly slowest: number
  readonly fastest: number
}

export interface MeasuredRoundTrips extends RoundTrips {
  readonly label: string
}

export interface MeasuredCanvas {
  readonly label: string
  readonly kind: CanvasKind
  /** From sending it until its result is there; the median over the rounds. */
  readonly ms: number
}

export interface Comparison {
  readonly workers: readonly Measured[]
  readonly producers: readonly Measured[]
  readonly roundTrips: readonly MeasuredRoundTrips[]
  readonly canvases: readonly MeasuredCanvas[]
  /** What was seen when settings were tried, one line for each worker that has several. */
  readonly tried: readonly string[]
}

/** A line and how to measure it with a number of tasks. */
interface Contender {
  readonly peer: string
  readonly label: string
  readonly kind: string
  readonly tasks: number
  readonly measure: (tasks: number) => Promise<Throughput>
}

/** Measure all peers, taking turns. The databases are emptied again and again. */
export async function compare(
  peers: readonly Peer[],
  floor: Floor,
  stores: Stores,
  extent: Extent,
  say: (line: string) => void,
): Promise<Comparison> {
  const clear = async (): Promise<void> => {
    await stores.broker.flushall('SYNC')
  }
  const work = async (peer: Peer, setting: WorkerSetting, tasks: number): Promise<Throughput> => {
    await clear()
    await runUntil(peer.fill(tasks), countIn(stores, peer.waiting), tasks)
    const measured = await measureThroughput(setting.launch, countIn(stores, peer.completed), tasks, stores)
    const state = await peer.someState(stores)
    if (state !== 'SUCCESS') throw new Error(`${peer.name}: a task of the benchmark ended as ${state}`)
    return measured
  }
  const send = async (peer: Peer, line: ProducerLine, tasks: number): Promise<Throughput> => {
    await clear()
    return measureThroughput(line.launch(tasks), countIn(stores, peer.waiting), tasks, stores)
  }
  const tasksFor = (perSecond: number, seconds: number): number =>
    Math.max(100, Math.round(perSecond * seconds))
  const calibrationSeconds = Math.min(2, extent.seconds)
  const tried: string[] = []

  /** The best setting, and how many tasks keep it busy for long enough. */
  const workerContender = async (peer: Peer, line: WorkerLine): Promise<Contender> => {
    let [best] = line.settings
    let tasks = tasksFor(line.guessPerSecond, extent.seconds)
    if (extent.calibrates) {
      const speeds: { setting: WorkerSetting; perSecond: number }[] = []
      for (const setting of line.settings) {
        say(`trying ${line.label}, ${setting.label}`)
        const few = tasksFor(line.guessPerSecond, calibrationSeconds)
        speeds.push({ setting, perSecond: (await work(peer, setting, few)).perSecond })
      }
      const fastest = speeds.reduce((a, b) => (b.perSecond > a.perSecond ? b : a))
      best = fastest.setting
      tasks = tasksFor(fastest.perSecond, extent.seconds)
      const seen = speeds.map(({ setting, perSecond }) => `${setting.label}: ${Math.round(perSecond)}/s`)
      if (seen.length > 1) tried.push(`${line.label}, ${seen.join('; ')}`)
    }
    return {
      peer: peer.name,
      label: `${line.label}, ${best.label}`,
      kind: 'worker',
      tasks,
      measure: (count) => work(peer, best, count),
    }
  }
  const producerContender = async (peer: Peer, line: ProducerLine): Promise<Contender> => {
    let tasks = tasksFor(line.guessPerSecond, extent.seconds)
    if (extent.calibrates) {
      say(`trying ${line.label}`)
      const few = tasksFor(line.guessPerSecond, calibrationSeconds)
      tasks = tasksFor((await send(peer, line, few)).perSecond, extent.seconds)
    }
    return {
      peer: peer.name,
      label: line.label,
      kind: line.pace,
      tasks,
      measure: (count) => send(peer, line, count),
    }
  }

  const inRounds = async (contenders: readonly Contender[]): Promise<Measured[]> => {
    const runs = contenders.map((contender) => ({ contender, seen: [] as Throughput[] }))
    for (let round = 0; round < extent.rounds; round += 1) {
      // Whoever went first goes last in the next round: a machine that slows down treats all alike.
      const order = [...runs.slice(round % runs.length), ...runs.slice(0, round % runs.length)]
      for (const { contender, seen } of order) {
        say(`round ${round + 1} of ${extent.rounds}: ${contender.label}, ${contender.tasks} tasks`)
        seen.push(await contender.measure(contender.tasks))
      }
    }
    return runs.map(({ contender, seen }) => ({
      peer: contender.peer,
      label: contender.label,
      kind: contender.kind,
      ...summary(seen),
    }))
  }

  const workers: Contender[] = []
  const producers: Contender[] = []
  for (const peer of peers) {
    for (const line of peer.workers) workers.push(await workerContender(peer, line))
    for (const line of peer.producers) producers.push(await producerContender(peer, line))
  }
  const measuredWorkers = await inRounds(workers)
  const measuredProducers = await inRounds(producers)

  const roundTrips: MeasuredRoundTrips[] = []
  for (const { roundTrip, workers: lines } of peers) {
    await clear()
    const worker = lines[0]?.settings[0]
    if (worker === undefined) continue
    say(`round trips: ${roundTrip.label}`)
    const measured = await measureRoundTrips(worker.launch, roundTrip.launch(extent.roundTrips))
    roundTrips.push({ label: roundTrip.label, ...measured })
  }
  await clear()
  say(`round trips: ${floor.label}`)
  const measuredFloor = await measureRoundTrips(floor.worker, floor.client(extent.roundTrips))
  roundTrips.push({ label: floor.label, ...measuredFloor })
  const canvases: MeasuredCanvas[] = []
  for (const kind of ['group', 'chord'] as const) {
    for (const { canvas, workers: lines } of peers) {
      const worker = lines[0]?.settings[0]
      if (canvas === undefined || worker === undefined) continue
      say(`a ${kind} of ${extent.canvasSize}: ${canvas.label}`)
      const seen: number[] = []
      for (let round = 0; round < extent.rounds; round += 1) {
        await clear()
        seen.push(await measureCanvas(worker.launch, canvas.launch(kind, extent.canvasSize)))
      }
      canvases.push({ label: canvas.label, kind, ms: median(seen) })
    }
  }
  await clear()
  return { workers: measuredWorkers, producers: measuredProducers, roundTrips, canvases, tried }
}

function summary(runs: readonly Throughput[]): Omit<Measured, 'peer' | 'label' | 'kind'> {
  const all = (figure: keyof Throughput): number[] => runs.map((run) => run[figure])
  return {
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
