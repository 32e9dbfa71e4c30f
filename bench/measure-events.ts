import { printed, start } from './start.js'
import type { Launch } from './peers/peer.js'

/** A while in which a worker sent events of tasks, or sent none. */
export interface Slice {
  readonly isOn: boolean
  readonly tasks: number
  readonly ms: number
  /** Processor time of the worker. */
  readonly cpuMs: number
}

/**
 * Start a worker that turns events on and off while it works off its queue, and before it a listener, if there is to be
 * one. Both are killed then.
 *
 * @returns what happened in each slice, those with events and those without in turns.
 */
export async function measureEvents(
  worker: Launch,
  listener: Launch | undefined,
  signal: AbortSignal,
): Promise<readonly Slice[]> {
  await using listening = listener === undefined ? undefined : start(listener, signal)
  await listening?.waitForLine(/^listening$/)
  await using working = start(worker, signal)
  const slices = await printed<readonly Slice[]>('slices', working, listening)
  await listening?.waitForLine(/^heard$/)
  return slices
}

/** What it costs a worker to see that nobody watches: nanoseconds for each look. */
export async function measureLooks(launch: Launch, signal: AbortSignal): Promise<number> {
  await using looking = start(launch, signal)
  return await printed<number>('lookNs', looking)
}
