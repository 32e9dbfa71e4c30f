import { AssertionError } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'
import type { Celery } from './app/celery.js'
import type { Publication } from './app/signals.js'

/** What a call that was sent should have been; what is left out may be anything. */
export interface ExpectedCall {
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly queue?: string
  readonly priority?: number
  readonly taskId?: string
}

/** The calls that an app has sent since it was asked to record them. */
export interface SentCalls {
  /** In the order in which they came to their queues. */
  readonly all: readonly Publication[]
  /** Those of one task. */
  of(task: string): readonly Publication[]
  /** @returns the first one that fits. @throws AssertionError, naming what was sent instead. */
  assertSent(task: string, expected?: ExpectedCall): Publication
  /** @throws AssertionError where one that fits was sent. */
  assertNotSent(task: string, expected?: ExpectedCall): void
  /** Forget what was sent so far. */
  clear(): void
  /** Record no more. */
  stop(): void
}

/**
 * Record what an app sends, by any way, for tests: with `memory://` and no worker nothing runs; with a worker, or with
 * `taskAlwaysEager`, it runs as well.
 */
export function recordSent(app: Pick<Celery, 'on'>): SentCalls {
  const all: Publication[] = []
  const stop = app.on('afterTaskPublish', (call) => void all.push(call))
  const of = (task: string): Publication[] => all.filter((call) => call.task === task)
  const fitting = (task: string, expected: ExpectedCall): Publication[] =>
    of(task).filter((call) =>
      Object.entries(expected).every(([name, value]) =>
        isDeepStrictEqual(call[name as keyof Publication], value),
      ),
    )
  return {
    all,
    of,
    assertSent(task, expected = {}) {
      const [found] = fitting(task, expected)
      if (found !== undefined) return found
      const sameTask = of(task).map(({ args, kwargs, queue, priority, taskId }) => ({
        args,
        kwargs,
        queue,
        priority,
        taskId,
      }))
      const names = [...new Set(all.map((call) => call.task))].join(', ') || 'nothing'
      const message =
        sameTask.length === 0
          ? `expected a call of ${task} to be sent, but of it there is none; sent: ${names}`
          : `expected a call of ${task} to be sent that fits, but none of ${sameTask.length} does`
      throw new AssertionError({ message, actual: sameTask, expected: [expected], operator: 'assertSent' })
    },
    assertNotSent(task, expected = {}) {
      const found = fitting(task, expected)
      if (found.length === 0) return
      const message = `expected no such call of ${task} to be sent, but ${found.length} did go out`
      throw new AssertionError({ message, actual: found, expected: [], operator: 'assertNotSent' })
    },
    clear: () => void all.splice(0),
    stop,
  }
}
