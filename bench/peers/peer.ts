import type { Redis } from 'ioredis'

/** Where the peers meet: one Redis, in which they use the databases of these URLs one after another. */
export interface Site {
  readonly brokerUrl: string
  /** A database that holds nothing but results, so that its size is their number. */
  readonly backendUrl: string
  /** Directory of the compiled programs of bench/programs. */
  readonly programs: string
}

/** How to start a process that is measured. */
export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Clients for the two databases of a {@link Site}. */
export interface Stores {
  readonly broker: Redis
  readonly backend: Redis
}

/** Counts with one command in constant time, since it is polled while things are measured. */
export type Count = (stores: Stores) => Promise<number>

/** A worker in one of the settings that it is tried in. */
export interface WorkerSetting {
  readonly label: string
  readonly launch: Launch
}

/** One line of the workers' table: a worker at the best of its settings. */
export interface WorkerLine {
  readonly label: string
  readonly settings: readonly [WorkerSetting, ...WorkerSetting[]]
  /** A guess that sizes the first, discarded run. */
  readonly guessPerSecond: number
}

export type Pace = 'one at a time' | 'many at once'

/** One line of the producers' table. */
export interface ProducerLine {
  readonly label: string
  /** Whether it waits for each message to be sent before it sends the next; lines are held against ours of the pace. */
  readonly pace: Pace
  readonly launch: (count: number) => Launch
  readonly guessPerSecond: number
}

/** A round trip that does without all that makes a task runtime, to show what is left to be gained. */
export interface Floor {
  readonly label: string
  readonly worker: Launch
  readonly client: (count: number) => Launch
}

export type CanvasKind = 'group' | 'chord'

/** The programs that show what events of tasks cost. */
export interface EventsLine {
  /** Turns them on and off while it works, and prints `{"slices": [...]}` when so many tasks are done. */
  readonly worker: (tasks: number, sliceMs: number) => Launch
  /** Hears them: prints `listening`, and `heard` with the first one. */
  readonly listener: Launch
  /** Prints `{"lookNs": ...}`, what a look whether there are any takes. */
  readonly look: Launch
}

/**
 * A task runtime beside which this one is measured.
 *
 * Its programs run until they are killed: a worker works off what waits, a producer sends `count` tasks, and the
 * client of a round trip prints `{"roundTripsMs": [...]}` when it has measured `count` of them, that of a canvas
 * `{"canvasMs": ...}` when it has the result of a group or chord of `size` tasks.
 */
export interface Peer {
  readonly name: string
  readonly version: string
  /** What a reader of the figures has to know about it. */
  readonly note: string
  readonly workers: readonly [WorkerLine, ...WorkerLine[]]
  readonly producers: readonly ProducerLine[]
  /** Fills the queue before a worker is measured. */
  readonly fill: (count: number) => Launch
  readonly roundTrip: { readonly label: string; readonly launch: (count: number) => Launch }
  /** Undefined where it has neither groups nor chords. */
  readonly canvas?: { readonly label: string; readonly launch: (kind: CanvasKind, size: number) => Launch }
  /** Undefined where events of tasks cannot be turned on and off. */
  readonly events?: EventsLine
  readonly waiting: Count
  readonly completed: Count
  /** Celery's state of any one finished task: what fails is fast, too, and must not count. */
  readonly someState: (stores: Stores) => Promise<string>
}

/** How many sends a concurrent producer has under way at once. */
export const SENDS_AT_ONCE = 200
