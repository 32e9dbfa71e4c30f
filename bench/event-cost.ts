import { median, quantile } from './statistics.js'
import type { Slice } from './measure-events.js'

/** What a worker did with events of tasks and without them; medians over slices. */
export interface EventCost {
  readonly perSecondOff: number
  readonly perSecondOn: number
  readonly cpuMicrosOff: number
  readonly cpuMicrosOn: number
  /** How much of the throughput is left while events are on: the median, and what the middle half lies between. */
  readonly left: number
  readonly leftFrom: number
  readonly leftTo: number
  /** Slices with events that have slices without them on both sides. */
  readonly compared: number
}

/** In them the code gets warm, with events and without. */
export const SLICES_DROPPED = 6

/**
 * Hold each slice with events against the mean of the two beside it, in which there were none: what makes the machine
 * slower or faster for longer than a slice touches both alike.
 *
 * @param runs - Slices of a worker each.
 */
export function eventCost(runs: readonly (readonly Slice[])[]): EventCost {
  const slices = runs.flatMap((run) => run.slice(SLICES_DROPPED))
  const left = runs.flatMap((run) => ratiosWithin(run.slice(SLICES_DROPPED)))
  const [off, on] = [slices.filter(({ isOn }) => !isOn), slices.filter(({ isOn }) => isOn)]
  return {
    perSecondOff: median(off.map(perSecond)),
    perSecondOn: median(on.map(perSecond)),
    cpuMicrosOff: median(off.map(cpuMicrosPerTask)),
    cpuMicrosOn: median(on.map(cpuMicrosPerTask)),
    left: median(left),
    leftFrom: quantile(left, 0.25),
    leftTo: quantile(left, 0.75),
    compared: left.length,
  }
}

function ratiosWithin(slices: readonly Slice[]): number[] {
  return slices.flatMap((slice, i) => {
    const [before, after] = [slices[i - 1], slices[i + 1]]
    if (!slice.isOn || before === undefined || after === undefined) return []
    return [(2 * perSecond(slice)) / (perSecond(before) + perSecond(after))]
  })
}

const perSecond = ({ tasks, ms }: Slice): number => (tasks * 1000) / ms
const cpuMicrosPerTask = ({ tasks, cpuMs }: Slice): number => (cpuMs * 1000) / tasks
