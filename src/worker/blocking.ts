import { createHook } from 'node:async_hooks'
import { runningTask } from '../results/running-task.js'
import type { Log } from '../log.js'

/** A task of which something is to be told. */
export interface Suspect {
  readonly id: string
  readonly task: string
}

/**
 * Tells which tasks hold up the event loop, where they run on it: for so long nothing else in the process goes on.
 *
 * What a task does until it first waits is timed by whoever calls it. Of what it does later, only the pause is seen, by a
 * timer that comes late, and not whose it was. After such a pause each step of each task is timed for a minute, so that the
 * next one has a name; that costs too much to be done always.
 */
export interface Blocking {
  /** A task has held up the event loop from its call on. */
  noteCall(this: void, suspect: Suspect, ms: number): void
  stop(): void
}

export interface BlockingParts {
  /** Those that run now. */
  readonly running: () => Suspect[]
  /** The last one that began; it may have ended. */
  readonly latest: () => Suspect | undefined
  readonly log: Log
}

/** Milliseconds that a task may take without waiting once. */
export const BLOCKS_AFTER_MS = 500

/** A busy machine makes shorter pauses by itself. */
const PAUSE_MS = 1000
const LOOK_EVERY_MS = 250
const TIME_STEPS_FOR_MS = 60_000
/** Each task is told of so often at most. */
const QUIET_MS = 10_000
const MOST_SUSPECTS = 5

export function createBlocking({ running, latest, log }: BlockingParts): Blocking {
  const toldAt = new Map<string, number>()
  let lookedAt = performance.now()
  /** Milliseconds since the last look for which the culprit is known. */
  let explainedMs = 0
  let cpu = process.cpuUsage()
  let before: Suspect[] = []
  let lastSeen: Suspect | undefined
  let steps: StepTimer | undefined
  let timeStepsUntil = 0

  const tell = ({ id, task }: Suspect, ms: number): void => {
    const now = performance.now()
    if (now - (toldAt.get(task) ?? -Infinity) < QUIET_MS) return
    toldAt.set(task, now)
    const blockedMs = Math.round(ms)
    const text = `Task ${task}[${id}] blocked the event loop for ${blockedMs} ms`
    log.warn({ taskId: id, task, blockedMs }, `${text}: run it in a pool of threads or processes`)
  }

  const note = (suspect: Suspect, ms: number): void => {
    explainedMs += ms
    tell(suspect, ms)
  }

  /** Nobody knows whose pause it was; where nothing was computed, the machine may have been busy with something else. */
  const suspectAll = (ms: number, cpuMs: number): void => {
    timeStepsUntil = performance.now() + TIME_STEPS_FOR_MS
    steps ??= timeSteps(note)
    const begun = latest()
    const all = [...before, ...running(), ...(begun === undefined || begun === lastSeen ? [] : [begun])]
    const suspects = new Map(all.map((each) => [each.id, each]))
    if (suspects.size === 0) return
    const names = [...suspects.values()].slice(0, MOST_SUSPECTS).map(({ id, task }) => `${task}[${id}]`)
    const others = suspects.size > names.length ? ` and ${suspects.size - names.length} others` : ''
    const [pausedMs, computedMs] = [Math.round(ms), Math.round(Math.min(cpuMs, ms))]
    const text = `the event loop stood still for ${pausedMs} ms, computing for ${computedMs} of them`
    log.warn({ pausedMs, computedMs }, `${text}, while these ran: ${names.join(', ')}${others}`)
  }

  const look = (): void => {
    const now = performance.now()
    const lateMs = now - lookedAt - LOOK_EVERY_MS
    const used = process.cpuUsage(cpu)
    if (lateMs - explainedMs > PAUSE_MS) suspectAll(lateMs, (used.user + used.system) / 1000)
    if (steps !== undefined && now > timeStepsUntil) {
      steps.stop()
      steps = undefined
    }
    lookedAt = now
    explainedMs = 0
    cpu = process.cpuUsage()
    before = running()
    lastSeen = latest()
  }

  const timer = setInterval(look, LOOK_EVERY_MS).unref()
  return {
    noteCall: note,
    stop() {
      clearInterval(timer)
      steps?.stop()
    },
  }
}

interface StepTimer {
  stop(): void
}

/** Time what tasks do from one wait to the next. */
function timeSteps(note: (suspect: Suspect, ms: number) => void): StepTimer {
  const begun: number[] = []
  const hook = createHook({
    before: () => void begun.push(performance.now()),
    after() {
      const from = begun.pop()
      if (from === undefined) return
      const ms = performance.now() - from
      if (ms < BLOCKS_AFTER_MS) return
      const task = runningTask()
      if (task !== undefined) note({ id: task.id, task: task.name }, ms)
    },
  }).enable()
  return { stop: () => void hook.disable() }
}
