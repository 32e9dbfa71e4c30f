import { describe, expect, it, vi } from 'vitest'
import { Celery, type CeleryEvent } from '../../../src/index.js'
import { formatEnvelope } from '../../../src/serialization/format-envelope.js'
import { recordingLog, type RecordingLog } from '../../support/recording-log.js'
import type { EventHandlers } from '../../../src/events/receiver.js'

interface Site {
  readonly app: Celery
  readonly log: RecordingLog
  readonly heard: CeleryEvent[]
  /** Publish a body as a peer would. */
  readonly publish: (body: unknown, contentType?: string) => Promise<unknown>
}

async function start(handlers?: (heard: CeleryEvent[]) => EventHandlers): Promise<Site> {
  const log = recordingLog()
  const app = new Celery('events', { broker: 'memory://', log })
  const heard: CeleryEvent[] = []
  const all: EventHandlers = { '*': (event) => void heard.push(event) }
  await app.events.receiver(handlers?.(heard) ?? all).start()
  return {
    app,
    log,
    heard,
    publish: (body, contentType = 'application/json') => {
      const [exchange, routingKey] = ['celeryev', 'x.y']
      const payload = typeof body === 'string' ? body : JSON.stringify(body)
      const envelope = formatEnvelope({
        ...{ payload, contentType, contentEncoding: 'utf-8', exchange, routingKey },
      })
      return app.broker.fanout.publish({ exchange, routingKey, envelope })
    },
  }
}

const sound = (type: string, fields = {}): object => ({
  type,
  hostname: 'w@h',
  clock: 5,
  timestamp: 1,
  ...fields,
})
const types = (heard: readonly CeleryEvent[]): string[] => heard.map(({ type }) => type)

describe('a receiver of events', () => {
  it('calls the handler of the type, else that of all', async () => {
    const { app, heard, publish } = await start((events) => ({
      'worker-online': (event) => void events.push({ ...event, type: 'mine' }),
      '*': (event) => void events.push(event),
    }))
    await publish(sound('worker-online'))
    await publish([sound('worker-heartbeat'), sound('from-the-future', { more: { deep: [1] } })])
    await vi.waitFor(() => expect(heard).toHaveLength(3))
    expect(types(heard)).toEqual(['mine', 'worker-heartbeat', 'from-the-future'])
    expect(heard[2]).toMatchObject({ more: { deep: [1] } })
    await app.close()
  })

  it('passes on the clock, and fills it in where a peer has sent none', async () => {
    const { app, heard, publish } = await start()
    await publish(sound('worker-heartbeat', { clock: 41 }))
    await publish(sound('worker-heartbeat', { clock: 'text', timestamp: undefined }))
    await publish(sound('task-sent', { clock: 900, uuid: 'a' }))
    await vi.waitFor(() => expect(heard).toHaveLength(3))
    expect(heard.map(({ clock }) => clock)).toEqual([41, 43, 42])
    expect(Math.abs((heard[1]?.timestamp ?? 0) * 1000 - Date.now())).toBeLessThan(60_000)
    await app.close()
  })

  it('ignores what is malformed with a warning, and goes on', async () => {
    const { app, heard, log, publish } = await start()
    const bad = [null, 7, 'x', [[]], [null], {}, { type: 1 }, { type: 'worker-x' }, sound('task-started')]
    await app.broker.fanout.publish({ exchange: 'celeryev', routingKey: 'x', envelope: 'not an envelope' })
    await app.broker.fanout.publish({ exchange: 'celeryev', routingKey: 'x', envelope: '{}' })
    for (const body of bad) await publish(body === 'x' ? 'not JSON' : body)
    await publish('\x80', 'application/x-python-serialize')
    await publish([{ type: 3 }, sound('worker-heartbeat')])
    await vi.waitFor(() => expect(types(heard)).toEqual(['worker-heartbeat']))
    expect(log.lines.filter(({ level }) => level !== 'warn')).toEqual([])
    // One line for many of them.
    expect(log.lines).toHaveLength(1)
    expect(log.lines[0]?.message).toContain('a malformed event is ignored')
    await app.close()
  })

  it('survives a handler that throws, and a type that is called as a property of objects', async () => {
    const { app, heard, log, publish } = await start((events) => ({
      'worker-bad': () => {
        throw new Error('no')
      },
      '*': (event) => void events.push(event),
    }))
    await publish([sound('worker-bad'), sound('constructor'), sound('worker-good')])
    await vi.waitFor(() => expect(types(heard)).toEqual(['constructor', 'worker-good']))
    expect(log.lines.map(({ message }) => message)).toEqual(['a handler of events failed'])
    await app.close()
  })

  it('captures for so long, or so many events', async () => {
    const { app, publish } = await start()
    const heard: string[] = []
    const receiver = app.events.receiver({ '*': ({ type }) => void heard.push(type) })
    const capturing = receiver.capture({ limit: 2 })
    await publish([sound('worker-a'), sound('worker-b'), sound('worker-c')])
    await capturing
    await receiver.capture({ timeoutMs: 1 })
    await receiver.capture({ signal: AbortSignal.abort() })
    await publish(sound('worker-d'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(heard).not.toContain('worker-d')
    await app.close()
  })

  it('hears what the application sends itself', async () => {
    const { app, heard } = await start()
    await app.events.send('shop-sale', { price: 3 })
    await vi.waitFor(() => expect(heard).toHaveLength(1))
    expect(heard[0]).toMatchObject({ type: 'shop-sale', price: 3, pid: process.pid })
    expect(heard[0]?.hostname).toMatch(/^gen\d+@/)
    await expect(app.events.send('nogroup')).rejects.toThrow('nogroup')
    await expect(app.events.send('a-b', { bad: 1n << 70n, fn: () => 1 })).rejects.toThrow()
    await app.close()
  })
})
