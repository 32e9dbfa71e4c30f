import { inRounds, type Line } from './attempts.js'
import {
  canvasContenders,
  eventContenders,
  lookContenders,
  producerContenders,
  roundTripContenders,
  workerContenders,
  type Bench,
} from './contenders.js'
import type { RoundTrips } from './measure-round-trips.js'
import type { Slice } from './measure-events.js'
import type { Throughput } from './measure-throughput.js'

export const SECTIONS = ['workers', 'producers', 'round-trips', 'canvases', 'events'] as const
export type Section = (typeof SECTIONS)[number]

/** What was asked for is there, with as many figures as could be had. */
export interface Comparison {
  readonly workers?: readonly Line<Throughput>[]
  /** What was seen when settings were tried, one line for each worker that has several. */
  readonly tried: readonly string[]
  readonly producers?: readonly Line<Throughput>[]
  readonly roundTrips?: readonly Line<RoundTrips>[]
  /** Milliseconds from sending a group or chord until its result is there. */
  readonly canvases?: readonly Line<number>[]
  readonly events?: readonly Line<readonly Slice[]>[]
  /** Nanoseconds that a worker takes to see that nobody watches. */
  readonly looks?: readonly Line<number>[]
}

/** Measure all peers, taking turns. The databases are emptied again and again. */
export async function compare(bench: Bench, sections: readonly Section[]): Promise<Comparison> {
  const { extent, attempts } = bench
  const tried: string[] = []
  const measures: Readonly<Record<Section, () => Promise<Partial<Comparison>>>> = {
    workers: async () => ({
      workers: await inRounds(await workerContenders(bench, tried), extent.rounds, attempts),
    }),
    producers: async () => ({
      producers: await inRounds(await producerContenders(bench), extent.rounds, attempts),
    }),
    'round-trips': async () => ({
      roundTrips: await inRounds(roundTripContenders(bench), 1, attempts),
    }),
    canvases: async () => ({
      canvases: await inRounds(canvasContenders(bench), extent.rounds, attempts),
    }),
    events: async () => ({
      events: await inRounds(eventContenders(bench), extent.rounds, attempts),
      looks: await inRounds(lookContenders(bench), 1, attempts),
    }),
  }
  let comparison: Comparison = { tried }
  for (const section of sections) comparison = { ...comparison, ...(await measures[section]()) }
  return comparison
}
