import { describe, expect, it, vi } from 'vitest'
import { Celery } from '../../../src/index.js'
import { countLoss } from '../../../src/serialization/earlier-deliveries.js'
import { createAsyncPool } from '../../../src/worker/pool/async-pool.js'
import { createSignalBus } from '../../../src/app/signals.js'
import { createMonitors } from '../../../src/worker/monitors.js'
import { createProcessor, type Processor } from '../../../src/worker/processor.js'
import { rawMessage } from '../../support/raw-message.js'
import { silentLog } from '../../../src/log.js'
import { systemClock } from '../../../src/clock.js'
import type { Consumer, Delivery } from '../../../src/broker/broker.js'

interface Site {
  readonly processor: Processor
  /** The answers that the consumer owes, in the order in which it was asked. */
  readonly begins: ((isMine: boolean) => void)[]
  readonly runs: unknown[]
  readonly released: Delivery[]
}

function start(): Site {
  const app = new Celery('begin', { broker: 'memory://' })
  const runs: unknown[] = []
  app.task('note', (value: unknown) => void runs.push(value))
  const begins: ((isMine: boolean) => void)[] = []
  const released: Delivery[] = []
  const consumer: Consumer = {
    ...app.broker.consumer({ queues: ['celery'], consumerId: 'celery@here:1' }),
    begin: () => new Promise((resolve) => begins.push(resolve)),
    release: (deliveries) => {
      released.push(...deliveries)
      return Promise.resolve()
    },
  }
  const processor = createProcessor({
    settings: app.settings,
    broker: app.broker,
    backend: app.backend,
    tasks: app.tasks,
    send: () => Promise.reject(new Error('nothing is to be sent')),
    isRevoked: () => false,
    monitors: createMonitors(),
    sendEvent: () => Promise.resolve(),
    prepareCanvas: () => {
      throw new Error('nothing is to be sent')
    },
    tracing: undefined,
    coordination: () => {
      throw new Error('nothing is limited')
    },
    signals: createSignalBus(() => silentLog),
    log: silentLog,
    hostname: 'celery@here',
    pool: createAsyncPool('async', 10),
    consumer,
    settler: {
      add: ({ onSettled }) => onSettled?.(),
      flush: () => Promise.resolve(),
      abandon: () => undefined,
    },
    clock: systemClock,
  })
  return { processor, begins, runs, released }
}

/** A delivery of a message that was lost before. */
function lost(value: string): Delivery {
  const loss = { at: new Date(), cause: 'WORKER_LOST', worker: 'celery@gone' } as const
  const envelope = countLoss(rawMessage('note', [value]).envelope, loss)
  return { tag: value, queue: 'celery', envelope, isDue: false }
}

describe('a message that was lost before', () => {
  it('runs when its beginning is noted, one after the other', async () => {
    const { processor, begins, runs } = start()
    processor.process(lost('a'))
    processor.process(lost('b'))
    await vi.waitFor(() => expect(begins).toHaveLength(1))
    expect(runs).toEqual([])
    begins[0]?.(true)
    await vi.waitFor(() => expect(begins).toHaveLength(2))
    expect(runs).toEqual(['a'])
    begins[1]?.(true)
    await vi.waitFor(() => expect(runs).toEqual(['a', 'b']))
    expect(processor.load.held).toBe(0)
  })

  it('is left alone where it is somebody else’s by then', async () => {
    const { processor, begins, runs } = start()
    processor.process(lost('a'))
    await vi.waitFor(() => expect(begins).toHaveLength(1))
    begins[0]?.(false)
    await vi.waitFor(() => expect(processor.load.held).toBe(0))
    expect(runs).toEqual([])
  })

  it('runs once when it was handed back meanwhile and has come again', async () => {
    const { processor, begins, runs, released } = start()
    const delivery = lost('a')
    processor.process(delivery)
    await vi.waitFor(() => expect(begins).toHaveLength(1))
    await processor.handBack(1)
    expect(released).toEqual([delivery])
    processor.process({ ...delivery })
    begins[0]?.(false)
    await vi.waitFor(() => expect(begins).toHaveLength(2))
    begins[1]?.(true)
    await vi.waitFor(() => expect(runs).toEqual(['a']))
    expect(processor.load.held).toBe(0)
  })
})
