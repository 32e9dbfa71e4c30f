import { readFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { Celery, every, type AppOptions } from '../../../src/index.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startBeat } from '../../../src/beat/start-beat.js'

const WITHIN = { timeout: 10_000, interval: 20 }

interface Message {
  readonly headers: Record<string, unknown>
  readonly properties: Record<string, unknown>
  readonly body: unknown
}

function readMessage(envelope: string): Message {
  const message = JSON.parse(envelope) as Message & { body: string }
  return { ...message, body: JSON.parse(Buffer.from(message.body, 'base64').toString()) }
}

/** The first message that a real beat pushed to this list. */
function recorded(list: string): Message {
  const file = new URL('../../vectors/celery-5.6.3/beat.json', import.meta.url)
  const { records } = JSON.parse(readFileSync(file, 'utf8')) as {
    records: { kind: string; argv?: string[] }[]
  }
  const push = records.find(
    ({ kind, argv }) => kind === 'command' && argv?.[0] === 'LPUSH' && argv[1] === list,
  )
  return readMessage(push?.argv?.[2] ?? '')
}

/** The same with what differs from one sending to the next replaced. */
function withoutWhatVaries({ headers, properties, body }: Message): Message {
  const { id, root_id: rootId, expires, origin, lang, argsrepr, ...otherHeaders } = headers
  const { correlation_id: correlationId, reply_to: replyTo, delivery_tag: tag, ...others } = properties
  expect([rootId, correlationId]).toEqual([id, id])
  for (const text of [id, origin, lang, argsrepr, replyTo, tag]) expect(text).toEqual(expect.any(String))
  return {
    headers: { ...otherHeaders, expires: typeof expires },
    properties: { ...others, expiration: typeof others.expiration },
    body,
  }
}

async function makeApp(options: AppOptions): Promise<Celery> {
  const app = new Celery('beat-test', options)
  atTestEnd(() => app.close())
  return Promise.resolve(app)
}

describe('beat', () => {
  it('Must 17.1: sends what a real beat sends for the same entries', async () => {
    const server = await startRedis()
    const app = await makeApp({
      broker: server.url,
      beatSchedule: {
        interval: { task: 'v.add', schedule: 1, args: [16, 16] },
        cron: {
          task: 'other.report',
          schedule: every(1),
          kwargs: { day: 'today' },
          options: {
            queue: 'reports',
            priority: 6,
            expires: 30,
            headers: { 'x-from': 'beat' },
            ignore_result: true,
          },
        },
      },
    })
    const beat = await startBeat(app)
    atTestEnd(() => beat.stop())
    const redis = redisClient(server.url)
    for (const list of ['celery', 'reports\x06\x166']) {
      await vi.waitFor(async () => expect(await redis.llen(list)).toBeGreaterThan(0), WITHIN)
      const sent = readMessage((await redis.lindex(list, -1)) ?? '')
      expect(withoutWhatVaries(sent)).toEqual(withoutWhatVaries(recorded(list)))
    }
    await beat.stop()
  })

  it('has a worker run the entries of beatSchedule and of addPeriodicTask, in memory as well', async () => {
    const app = await makeApp({
      broker: 'memory://',
      backend: 'memory://',
      beatSchedule: { scheduled: { task: 'note', schedule: 0.05, args: ['scheduled'] } },
    })
    const notes: string[] = []
    const note = app.task('note', (text: string) => void notes.push(text))
    app.addPeriodicTask(every(0.05), note.s('added'), { name: 'added' })
    const worker = await app.startWorker()
    const beat = await startBeat(app)
    await vi.waitFor(() => expect(new Set(notes)).toEqual(new Set(['added', 'scheduled'])), WITHIN)
    await beat.stop()
    await worker.stop()
  })

  it('goes on where it was when it is started again', async () => {
    const server = await startRedis()
    const options: AppOptions = {
      broker: server.url,
      brokerTransportOptions: { globalKeyprefix: `${randomUUID()}:` },
      beatSchedule: { daily: { task: 'note', schedule: 86_400 }, often: { task: 'note', schedule: 0.1 } },
    }
    const first = await startBeat(await makeApp(options))
    const lastRun = (beat: typeof first, name: string): Date | undefined =>
      beat.entries().find((entry) => entry.name === name)?.lastRunAt
    await vi.waitFor(() => expect(lastRun(first, 'daily')).toBeInstanceOf(Date), WITHIN)
    const before = lastRun(first, 'daily')
    await first.stop()
    const second = await startBeat(await makeApp(options))
    await vi.waitFor(() => expect(lastRun(second, 'daily')).toEqual(before), WITHIN)
    await second.stop()
  })

  it('refuses an entry that cannot be read, naming it', async () => {
    const app = await makeApp({ broker: 'memory://', beatSchedule: { bad: { task: '', schedule: 1 } } })
    await expect(startBeat(app)).rejects.toThrow(/beatSchedule\["bad"\]\.task/)
  })
})
