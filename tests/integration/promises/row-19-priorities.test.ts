import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import { FOLDERS, scenario } from '../../unit/serialization/vectors.js'
import type { AppOptions } from '../../../src/index.js'

interface Recorded {
  /** The call in Python. */
  readonly call: string
  readonly list: string
  readonly priority: unknown
}

/** Which list Python pushed to, and what it wrote into the message. */
function recorded(folder: string): Recorded[] {
  const found: Recorded[] = []
  let call = ''
  for (const record of scenario(folder, 'publish_priority')) {
    if (record.kind === 'call') call = record.python ?? ''
    const [command, list, text] = record.argv ?? []
    if (command !== 'LPUSH' || typeof text !== 'string') continue
    const { properties } = JSON.parse(text) as { properties: { priority: unknown } }
    found.push({ call, list: list as string, priority: properties.priority })
  }
  return found
}

/** The same call here: settings of the app and the priority of the call. */
function translated(call: string): { settings: AppOptions; priority: number | undefined } {
  const priority = /^priority=(-?\d+)/.exec(call)?.[1]
  const byDefault = /task_default_priority=(\d+)/.exec(call)?.[1]
  return {
    priority: priority === undefined ? undefined : Number(priority),
    settings: {
      ...(byDefault === undefined ? {} : { taskDefaultPriority: Number(byDefault) }),
      ...(call.includes('priority_steps=range(10)')
        ? { brokerTransportOptions: { prioritySteps: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], sep: ':' } }
        : {}),
    },
  }
}

const folders = FOLDERS.filter((folder) => folder !== 'celery-main')

describe.each(folders)('row 19: priorities as %s has them', (folder) => {
  it.each(recorded(folder))('row 19: $call goes to $list', async ({ call, list, priority }) => {
    const { url } = await startRedis()
    const { settings, priority: asked } = translated(call)
    const app = testApp(url, settings)
    await app.sendTask('t', [], {}, asked === undefined ? {} : { priority: asked })

    const observer = redisClient(url)
    const [text = ''] = await observer.lrange(list, 0, -1)
    expect(JSON.parse(text)).toMatchObject({ properties: { priority } })
    expect(await app.broker.queueLength('celery')).toBe(1)
  })
})

describe('row 19: what a worker makes of priorities', () => {
  it('row 19: runs the urgent ones first, 0 before 3 before 6 before 9', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const ran: number[] = []
    app.task('t', (priority: number) => void ran.push(priority))
    for (const priority of [9, 6, 3, 0, 8, 5, 2]) await app.sendTask('t', [priority], {}, { priority })

    await using _ = await app.startWorker({ concurrency: 1, prefetchMultiplier: 1 })
    await eventually(() => ran.length === 7)
    // Within a step by age.
    expect(ran).toEqual([0, 2, 3, 5, 6, 8, 9])
  })

  it('row 19: gives one turn in ten to the least urgent under a flood of urgent ones', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const ran: number[] = []
    app.task('t', (priority: number) => void ran.push(priority))
    const send = (priority: number): Promise<unknown> => app.sendTask('t', [priority], {}, { priority })
    await Promise.all([...Array.from({ length: 200 }, () => send(0)), ...[1, 2, 3, 4, 5].map(() => send(9))])

    await using _ = await app.startWorker({ concurrency: 1, prefetchMultiplier: 1 })
    await eventually(() => ran.length === 205)
    const turns = ran.flatMap((priority, turn) => (priority === 9 ? [turn + 1] : []))
    expect(turns[0]).toBeGreaterThan(5)
    expect(turns.at(-1)).toBeLessThanOrEqual(60)
  })
})
