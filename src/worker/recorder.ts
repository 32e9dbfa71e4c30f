import { createCallErrbacks } from './errbacks.js'
import { createCompleteChord } from './complete-chord.js'
import { createSettler, type Settler } from './settle.js'
import { describeThrown } from '../serialization/exceptions.js'
import { partOf } from './ending.js'
import { storedResult } from './request.js'
import { systemClock } from '../clock.js'
import type { Consumer } from '../broker/broker.js'
import type { TaskLookup } from '../app/registered-task.js'
import type { WorkerParts } from '../app/worker-options.js'

export interface RecorderParts extends Omit<WorkerParts, 'tasks'> {
  readonly tasks: TaskLookup
  readonly hostname: string
  readonly consumer: Consumer
}

/** A worker's settler, which completes chords; what chords come to goes through the settler in its turn. */
export function createRecorder(parts: RecorderParts): Settler {
  const { settings, hostname, backend, consumer, tracing, log } = parts
  const settler = createSettler({
    backend,
    consumer,
    failureInstead: (message, error) => {
      const { exception } = describeThrown(error)
      const state = { status: 'FAILURE', result: exception, dateDone: new Date() }
      return storedResult(message, settings, hostname, state)
    },
    partInstead: (part, error) =>
      partOf(part.message, 'FAILURE', describeThrown(error).exception, settings) ?? part,
    completeChord: (...part) => completeChord(...part),
    tracing,
    clock: systemClock,
    log,
  })
  const completeChord = createCompleteChord({
    ...parts,
    callErrbacks: createCallErrbacks(parts),
    clock: systemClock,
    record: ({ results, parts: chordParts }, message) =>
      new Promise((resolve) => settler.add({ results, parts: chordParts, message, onSettled: resolve })),
  })
  return settler
}
