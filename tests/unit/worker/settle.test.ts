import { expect, it } from 'vitest'
import { createSettler, type Settlement, type Settler } from '../../../src/worker/settle.js'
import { ResultBackendFullError, ResultRefusedError } from '../../../src/results/errors.js'
import { silentLog } from '../../../src/log.js'
import { systemClock } from '../../../src/clock.js'
import type { Consumer, Delivery } from '../../../src/broker/broker.js'
import type { ResultBackend, StoredResult, StoreOptions } from '../../../src/results/result-backend.js'
import type { TaskMessage } from '../../../src/serialization/task-message.js'

interface Desk {
  readonly settler: Settler
  /** What is stored of each task: every state in its order. */
  readonly stored: Record<string, string[]>
  readonly acked: string[]
}

/** What the backend throws for a batch; `pauses` says how many there were before. */
type Refuse = (
  results: readonly StoredResult[],
  options: StoreOptions | undefined,
  pauses: number,
) => Error | undefined

/** A settler whose pauses last no time. */
function openDesk(refuse: Refuse): Desk {
  let pauses = 0
  const stored: Record<string, string[]> = {}
  const acked: string[] = []
  const backend = {
    store(results: readonly StoredResult[], options?: StoreOptions) {
      const error = refuse(results, options, pauses)
      if (error !== undefined) return Promise.reject(error)
      for (const { taskId, text } of results) (stored[taskId] ??= []).push(String(text).slice(0, 20))
      return Promise.resolve()
    },
    ping: () => Promise.resolve(1),
  } as Partial<ResultBackend> as ResultBackend
  const consumer = {
    ack: (deliveries: readonly Delivery[]) =>
      Promise.resolve(void acked.push(...deliveries.map(({ tag }) => tag))),
  } as Partial<Consumer> as Consumer
  const settler = createSettler({
    backend,
    consumer,
    partInstead: (part) => part,
    tracing: undefined,
    completeChord: () => Promise.resolve(true),
    failureInstead: ({ id }, error) => result(id, `failed: ${error.message}`),
    clock: {
      ...systemClock,
      sleep() {
        pauses++
        return new Promise((resolve) => setImmediate(resolve))
      },
    },
    log: silentLog,
  })
  return { settler, stored, acked }
}

const result = (taskId: string, text: string): StoredResult => ({ taskId, text, expiresSeconds: 1 })

function ends(id: string, text = 'fine', frees = 0): Settlement {
  return {
    results: [result(id, text)],
    message: { id } as TaskMessage,
    ack: { tag: id, queue: 'q', envelope: '{}', isDue: false },
    frees,
  }
}

const isBad = ({ text }: StoredResult): boolean => text === 'bad'
const twenty = Array.from({ length: 20 }, (_, i) => `t${i}`)

it('row 12: stores a failure in place of a result that is refused, and all the others as they are', async () => {
  const { settler, stored, acked } = openDesk((results) =>
    results.some(isBad) ? new ResultRefusedError('no') : undefined,
  )
  for (const id of twenty) settler.add(ends(id, id === 't7' ? 'bad' : 'fine'))
  await settler.flush()
  expect(stored).toEqual(Object.fromEntries(twenty.map((id) => [id, [id === 't7' ? 'failed: no' : 'fine']])))
  expect(acked.toSorted()).toEqual(twenty.toSorted())
})

it('blames no result where nothing at all can be stored', async () => {
  const { settler, stored } = openDesk((_, __, pauses) =>
    pauses < 20 ? new ResultRefusedError('no') : undefined,
  )
  settler.add(ends('t1'))
  await settler.flush()
  expect(stored).toEqual({ t1: ['fine'] })
})

it('takes a large result for the reason why its connection breaks, after some times, and never a small one', async () => {
  const large = 'x'.repeat(2 ** 20)
  let breaks = 0
  const { settler, stored, acked } = openDesk((results) => {
    const isSmallBreak = breaks < 40 && results.some(({ taskId }) => taskId === 'small')
    if (isSmallBreak) breaks++
    return isSmallBreak || results.some(({ text }) => text === large)
      ? new Error('connection lost')
      : undefined
  })
  settler.add(ends('large', large))
  settler.add(ends('other'))
  await settler.flush()
  expect(stored).toEqual({ large: ['failed: each time th'], other: ['fine'] })
  settler.add(ends('small'))
  await settler.flush()
  expect(breaks).toBe(40)
  expect(stored.small).toEqual(['fine'])
  expect(acked.toSorted()).toEqual(['large', 'other', 'small'])
})

it('row 14: stores without room what frees more than it takes, and the rest when there is room', async () => {
  let hasRoom = false
  const { settler, stored, acked } = openDesk((_, options) =>
    hasRoom || options?.memoryLimit === 'exceed' ? undefined : new ResultBackendFullError('full'),
  )
  settler.add(ends('short', 'fine', 100))
  settler.add(ends('long', 'x'.repeat(101), 100))
  settler.add(ends('elsewhere', 'fine', 0))
  await expect.poll(() => acked).toEqual(['short'])
  // What comes later does not wait for what has no room.
  settler.add(ends('later', 'fine', 100))
  await expect.poll(() => acked).toEqual(['short', 'later'])
  expect(Object.keys(stored)).toEqual(['short', 'later'])
  hasRoom = true
  await settler.flush()
  expect(acked).toEqual(['short', 'later', 'long', 'elsewhere'])
})

it('lets no state of a task overtake an earlier one that has to wait', async () => {
  let hasRoom = false
  const { settler, stored } = openDesk((_, options) =>
    hasRoom || options?.memoryLimit === 'exceed' ? undefined : new ResultBackendFullError('full'),
  )
  settler.add({ results: [result('t1', 'x'.repeat(1000))], frees: 100 })
  settler.add(ends('t1', 'fine', 100))
  settler.add(ends('t2', 'fine', 100))
  let isAllRecorded = false
  settler.add({ onSettled: () => (isAllRecorded = true) })
  await expect.poll(() => stored).toEqual({ t2: ['fine'] })
  expect(isAllRecorded).toBe(false)
  hasRoom = true
  await settler.flush()
  expect(isAllRecorded).toBe(true)
  expect(stored.t1).toEqual(['x'.repeat(20), 'fine'])
})
