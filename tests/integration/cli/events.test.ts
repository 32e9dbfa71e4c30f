import { expect, it, vi } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import { formatView } from '../../../src/cli/events-view.js'
import { startLovage } from './lovage.js'
import type { Celery } from '../../../src/index.js'

const WITHIN = { timeout: 10_000, interval: 20 }

async function heardBy(url: string): Promise<void> {
  const redis = redisClient(url)
  await eventually(async () => Number(await redis.pubsub('NUMPAT')) === 1)
}

async function work(app: Celery): Promise<void> {
  app.task('add', (x: number, y: number) => x + y)
  await using worker = await app.startWorker({ hostname: 'w@h', taskEvents: true })
  const result = await app.sendTask('add', [1, 2])
  expect(await result.get({ timeout: 10_000 })).toBe(3)
  expect(worker.counts().succeeded).toBe(1)
}

it('lovage events prints a line for each event, with the task’s name and arguments, and stops with exit code 0', async () => {
  const { url } = await startRedis()
  const events = await startLovage(['-b', url, 'events', '--dump'])
  await heardBy(url)
  await work(testApp(url))
  await events.waitForLine(/^w@h \[\S+Z\] shutdown: /)
  const lines = events.output().split('\n')
  expect(lines[0]).toBe('-> starting capture...')
  expect(lines.filter((line) => / started: active=0/.test(line))).toHaveLength(1)
  for (const what of ['task received', 'task started', 'task succeeded'])
    expect(lines.join('\n')).toMatch(
      new RegExp(`^w@h \\[\\S+\\] ${what}: add\\(\\S+\\) args=\\(1, 2\\) kwargs={} `, 'm'),
    )
  expect(await events.stop()).toMatchObject({ code: 0 })
})

it('lovage events --json prints each event as a line of JSON and nothing else', async () => {
  const { url } = await startRedis()
  const lines: string[] = []
  const events = await startLovage(['-b', url, 'events', '--json'], {
    onStdoutLine: (line) => lines.push(line),
  })
  await heardBy(url)
  const app = testApp(url)
  await app.events.send('shop-sale', { price: 3, note: 'a\nb' })
  await vi.waitFor(() => expect(lines).toHaveLength(1), WITHIN)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ type: 'shop-sale', price: 3, note: 'a\nb' })
  expect(await events.stop()).toMatchObject({ code: 0 })
  expect(events.output()).toBe(lines[0])
})

it('lovage events says where there is no connection', async () => {
  const events = await startLovage(['-b', 'redis://:secret@127.0.0.1:1/0', 'events', '--dump'])
  await events.waitForLine(/^warning: no connection to redis:\/\/\*\*\*@127\.0\.0\.1:1\/0 so far/)
  await events.kill()
})

it('lovage events says when the connection is lost, and when it is back', async () => {
  const redis = await startRedis()
  const events = await startLovage(['-b', redis.url, 'events', '--dump'])
  await heardBy(redis.url)
  await redis.process.stop()
  await events.waitForLine(/^warning: lost the connection to redis:\/\/127\.0\.0\.1:\d+\/0; trying again/)
  await redis.restart()
  await events.waitForLine(/^warning: connected to redis:\/\/\S+ again; events may have been missed/)
  await testApp(redis.url).events.send('shop-sale', { price: 3 })
  await events.waitForLine(/shop sale: .*price=3/)
  expect(await events.stop()).toMatchObject({ code: 0 })
  expect(events.output().match(/lost the connection/g)).toHaveLength(1)
})

it('the live view fits its terminal, and shows nothing that steers it', () => {
  const app = testApp('memory://')
  const state = app.events.state()
  const common = { clock: 1, timestamp: 1000, local_received: 1000 }
  state.event({ ...common, type: 'worker-online', hostname: 'w@h\x1b[2J', freq: 2, active: 1 })
  for (let i = 0; i < 100; i++)
    state.event({ ...common, type: 'task-received', hostname: 'w@h', uuid: `u${i}`, name: 'x'.repeat(200) })
  const lines = formatView(state, { columns: 80, rows: 20, now: 1001, isConnected: true }).split('\n')
  expect(lines).toHaveLength(20)
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  expect(lines.join('')).not.toContain('\x1b')
  expect(lines.join('\n')).toContain('online')
})
