import { fullJitterMs } from '../backoff.js'
import { isPassing } from './until-sent.js'
import { persist } from './persist.js'
import type { Clock } from '../clock.js'
import type { ChordStanding } from '../results/chords.js'
import type { Consumer, Delivery } from '../broker/broker.js'
import type { Log } from '../log.js'
import { ResultBackendFullError, ResultRefusedError } from '../results/errors.js'
import { byteLength } from './request.js'
import type { CompleteChord } from './complete-chord.js'
import type { PendingPart } from './ending.js'
import type { ResultBackend, StoredResult, StoreOptions } from '../results/result-backend.js'
import type { TaskMessage } from '../serialization/task-message.js'
import type { Tracing } from '../app/tracing.js'

/** What there is to record of one message: results first, then its acknowledgement. */
export interface Settlement {
  readonly results?: readonly StoredResult[] | undefined
  /** Told to their chords after the results are stored. */
  readonly parts?: readonly PendingPart[] | undefined
  /** Of the results' task: for telling its failure, should one of them be refused. */
  readonly message?: TaskMessage | undefined
  /** What to acknowledge after the result is stored; undefined leaves the message held. */
  readonly ack?: Delivery | undefined
  /** Bytes that the message's acknowledgement frees on the server that also keeps the results. @default 0 */
  readonly frees?: number | undefined
  /** Called when all of it is recorded. */
  readonly onSettled?: (() => void) | undefined
}

export interface Settler {
  add(settlement: Settlement): void
  /** Resolves when everything added so far is recorded. */
  flush(): Promise<void>
  /** Stop trying; what is not recorded yet stays unacked and is delivered again. */
  abandon(): void
}

const BACKOFF = { firstMs: 50, longestMs: 2000 }
/**
 * A result of so many bytes, and no smaller one, is suspected of breaking the connection that it is sent over: servers
 * close it where a value passes their limit, which none has below.
 */
const LARGE_BYTES = 2 ** 19
/** How often in a row a large result has to break its connection until it is taken for the reason. */
const STRIKES = 8
const PING_TIMEOUT_MS = 1000

/** What became of some settlements in one attempt to store their results. */
interface Attempt {
  readonly stored: readonly Settlement[]
  readonly left: readonly Settlement[]
}

/**
 * Records results and acknowledgements in batches: while one is on its way, the next gathers. So a lone task is
 * recorded at once, and under load a round trip serves hundreds.
 *
 * A batch that fails is tried again until it succeeds: a result is stored before its message is acknowledged, and both
 * steps may be repeated without harm. One result must not hold up the others for ever: where the backend refuses some,
 * they are told apart by halves, and a result that is refused by itself is replaced by a failure that says so. Where
 * the backend has no room, results are stored that take less than their message, which goes then.
 */
export function createSettler(parts: {
  readonly backend: ResultBackend
  readonly consumer: Consumer
  /** The failure that is stored where a result is refused for good. */
  readonly failureInstead: (message: TaskMessage, error: ResultRefusedError) => StoredResult
  /** The part that a chord is told of then. */
  readonly partInstead: (part: PendingPart, error: ResultRefusedError) => PendingPart
  /** Asked of whoever brings the last part of a chord. */
  readonly completeChord: CompleteChord
  readonly tracing: Pick<Tracing, 'outside' | 'traceOf'> | undefined
  readonly clock: Clock
  readonly log: Log
}): Settler {
  const { backend, consumer, completeChord, tracing, clock, log } = parts
  const abandoned = new AbortController()
  const persistence = { clock, log, signal: abandoned.signal }
  /** Chords that are being completed, for whose last parts the messages are held. */
  const completing = new Set<Promise<void>>()
  /** Settles when all that was acknowledged so far is; never rejects. */
  let acknowledging: Promise<void> = Promise.resolve()
  let gathering: Settlement[] = []
  let recording: Promise<void> | undefined

  /** Resolves with what could not be recorded yet. */
  const record = async (batch: readonly Settlement[], failures: number): Promise<Attempt> => {
    const attempt = await store(batch, failures)
    const { stored } = attempt
    if (stored.length > 0) {
      const paid = stored.some(hasParts) ? await tellChords(stored) : stored
      // In order, while the next results are on their way.
      acknowledging = acknowledging.then(() => acknowledge(paid))
    }
    return attempt
  }

  const store = async (some: readonly Settlement[], failures: number): Promise<Attempt> => {
    try {
      await storeResults(some)
      return { stored: some, left: [] }
    } catch (error) {
      log.warn({ err: error }, 'could not store results; trying again')
      if (error instanceof ResultBackendFullError) return storeWhatFrees(some)
      const isRefused = error instanceof ResultRefusedError
      const isSuspicious = isRefused || (failures > 0 && (await isLargeAndAlone(some)))
      if (!isSuspicious || abandoned.signal.aborted) return { stored: [], left: some }
      if (some.length > 1) return storeHalves(some, failures)
      if (isRefused) return storeFailure(some, error)
      return failures < STRIKES ? { stored: [], left: some } : storeFailure(some, brokenBy(some, error))
    }
  }

  const storeResults = async (some: readonly Settlement[], options?: StoreOptions): Promise<void> => {
    const results = some.flatMap((each) => each.results ?? [])
    if (results.length > 0) await backend.store(results, options)
  }

  /** Whether a large result is among them and the backend can be reached otherwise. */
  const isLargeAndAlone = async (some: readonly Settlement[]): Promise<boolean> => {
    if (!some.some((each) => bytesOf(each) >= LARGE_BYTES)) return false
    return backend.ping(PING_TIMEOUT_MS).then(
      () => true,
      () => false,
    )
  }

  const storeHalves = async (some: readonly Settlement[], failures: number): Promise<Attempt> => {
    const middle = some.length >> 1
    const first = await store(some.slice(0, middle), failures)
    const { chosen, others } = choose(first.left, some.slice(middle), () => true)
    const second = await store(chosen, failures)
    return { stored: [...first.stored, ...second.stored], left: [...first.left, ...second.left, ...others] }
  }

  const storeWhatFrees = async (some: readonly Settlement[]): Promise<Attempt> => {
    const { chosen, others } = choose([], some, (each) => bytesOf(each) <= (each.frees ?? 0))
    try {
      await storeResults(chosen, { memoryLimit: 'exceed' })
      return { stored: chosen, left: others }
    } catch {
      return { stored: [], left: some }
    }
  }

  const storeFailure = async (some: readonly Settlement[], error: ResultRefusedError): Promise<Attempt> => {
    const message = some[0]?.message
    if (message === undefined) return { stored: [], left: some }
    const ids = some.flatMap(({ results = [] }) => results.map(({ taskId }) => taskId))
    try {
      await backend.store(ids.map((id) => parts.failureInstead({ ...message, id }, error)))
    } catch {
      // Nothing can be stored, so the result is not to blame.
      return { stored: [], left: some }
    }
    log.error({ err: error, taskId: message.id }, 'a result was refused; its task is stored as failed')
    const told = some.map((each) => ({
      ...each,
      parts: each.parts?.map((part) => parts.partInstead(part, error)),
    }))
    return { stored: told, left: [] }
  }

  /** @returns those that owe nothing to a chord; the others are recorded when they have paid. */
  const tellChords = async (some: readonly Settlement[]): Promise<readonly Settlement[]> => {
    const all = some.flatMap((each) => each.parts ?? [])
    const told = await persist('tell chords of their parts', () => addParts(all), persistence)
    if (told === undefined) return []
    const lastParts = new Set(all.filter((_, i) => told.value[i] === 'last'))
    if (lastParts.size === 0) return some
    return some.filter((settlement) => {
      const last = settlement.parts?.filter((part) => lastParts.has(part)) ?? []
      if (last.length > 0) complete(settlement, last)
      return last.length === 0
    })
  }

  const addParts = async (all: readonly PendingPart[]): Promise<readonly ChordStanding[]> => {
    try {
      const traceOf = tracing?.traceOf
      const traced =
        traceOf === undefined ? all : all.map((part) => ({ ...part, trace: traceOf(part.message) }))
      return await backend.chords.addParts(traced)
    } catch (error) {
      if (isPassing(error)) throw error
      log.error(
        { err: error, taskIds: all.map(({ taskId }) => taskId) },
        'chords could not be told of their parts',
      )
      return all.map(() => 'over')
    }
  }

  const complete = (settlement: Settlement, last: readonly PendingPart[]): void => {
    const completed = Promise.all(last.map((part) => completeChord(part, persistence))).then((outcomes) => {
      completing.delete(completed)
      if (outcomes.every(Boolean)) add({ ...settlement, results: undefined, parts: undefined })
    })
    completing.add(completed)
  }

  const acknowledge = async (some: readonly Settlement[]): Promise<void> => {
    const deliveries = some.flatMap(({ ack }) => ack ?? [])
    if (deliveries.length > 0) {
      await persist('acknowledge', () => consumer.ack(deliveries), persistence)
    }
    if (abandoned.signal.aborted) return
    for (const { onSettled } of some) onSettled?.()
  }

  const pause = (failures: number): Promise<void> =>
    clock.sleep(fullJitterMs(failures + 1, BACKOFF), abandoned.signal)

  const run = async (): Promise<void> => {
    // All that ends in this turn of the event loop goes together.
    await new Promise((resolve) => setImmediate(resolve))
    let left: readonly Settlement[] = []
    let failures = 0
    while ((gathering.length > 0 || left.length > 0) && !abandoned.signal.aborted) {
      const batch = left.length > 0 ? [...left, ...gathering] : gathering
      gathering = []
      const attempt = await record(batch, failures)
      left = attempt.left
      failures = left.length === 0 || attempt.stored.length > 0 ? 0 : failures + 1
      if (left.length > 0) await pause(failures)
    }
    recording = undefined
  }

  const add = (settlement: Settlement): void => {
    gathering.push(settlement)
    recording ??= tracing === undefined ? run() : tracing.outside(run)
  }

  return {
    add,
    async flush() {
      while (recording !== undefined || completing.size > 0) {
        await Promise.all([recording, ...completing])
      }
      await acknowledging
    },
    abandon() {
      abandoned.abort()
    },
  }
}

function hasParts({ parts }: Settlement): boolean {
  return parts !== undefined && parts.length > 0
}

function brokenBy(some: readonly Settlement[], cause: unknown): ResultRefusedError {
  const bytes = some.reduce((sum, each) => sum + bytesOf(each), 0)
  return new ResultRefusedError(`each time this result of ${bytes} bytes was sent, its connection broke`, {
    cause,
  })
}

function bytesOf({ results = [] }: Settlement): number {
  return results.reduce((sum, { text }) => sum + byteLength(text), 0)
}

/**
 * Part them without letting a later state of a task overtake an earlier one that has to wait. What neither stores nor
 * acknowledges anything is there to be told when all before it is recorded.
 */
function choose(
  waiting: readonly Settlement[],
  some: readonly Settlement[],
  isChosen: (settlement: Settlement) => boolean,
): { chosen: Settlement[]; others: Settlement[] } {
  const idsOf = ({ results = [] }: Settlement): string[] => results.map(({ taskId }) => taskId)
  const waitingIds = new Set(waiting.flatMap(idsOf))
  const chosen: Settlement[] = []
  const others: Settlement[] = []
  for (const settlement of some) {
    const ids = idsOf(settlement)
    const isMarker = ids.length === 0 && settlement.ack === undefined
    const hasToWait = isMarker && waiting.length + others.length > 0
    if (!hasToWait && isChosen(settlement) && !ids.some((id) => waitingIds.has(id))) {
      chosen.push(settlement)
      continue
    }
    others.push(settlement)
    for (const id of ids) waitingIds.add(id)
  }
  return { chosen, others }
}
