import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Celery } from '../index.js'

/** What `demo.fail` throws. */
class DemoFailure extends Error {
  override readonly name = 'DemoFailure'
}

/** Tasks for a first try, and for tests of clients. */
export function registerDemoTasks(app: Celery): void {
  app.task(
    'demo.add',
    { argNames: ['x', 'y'], description: 'Add two numbers' },
    (x: number, y: number) => x + y,
  )
  app.task(
    'demo.sleep',
    {
      params: z.object({ seconds: z.number().nonnegative().max(86_400) }),
      description: 'Sleep, then say how long',
    },
    async ({ seconds }, task) => {
      await sleep(seconds * 1000, undefined, { signal: task.signal })
      return seconds
    },
  )
  app.task(
    'demo.fail',
    { argNames: ['message'], description: 'Fail with a message' },
    (message = 'as asked') => {
      throw new DemoFailure(String(message))
    },
  )
  app.task(
    'demo.progress',
    {
      params: z.object({
        steps: z.number().int().positive().max(10_000).default(10),
        delay: z.number().nonnegative().max(3600).default(0.5),
      }),
      description: 'Count to `steps` with a pause of `delay` seconds, reporting PROGRESS',
    },
    async ({ steps, delay }, task) => {
      for (let current = 0; current < steps; current++) {
        await task.updateState('PROGRESS', { current, total: steps })
        await sleep(delay * 1000, undefined, { signal: task.signal })
      }
      return { steps }
    },
  )
  app.task('demo.echo', { kwargs: true, description: 'Give back all arguments' }, (...all: unknown[]) => ({
    args: all.slice(0, -1),
    kwargs: all.at(-1),
  }))
}
