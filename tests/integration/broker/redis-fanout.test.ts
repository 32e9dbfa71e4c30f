import { describe, expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { createRedisBroker } from '../../../src/broker/redis-broker.js'
import { recordingLog } from '../../support/recording-log.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { describeFanout } from './fanout-conformance.js'
import { eventually } from '../../support/eventually.js'
import { silentLog, type Log } from '../../../src/log.js'
import type { Broker } from '../../../src/broker/broker.js'

const WITHIN = { timeout: 10_000, interval: 20 }

async function makeBroker(url: string, globalKeyprefix = '', log: Log = silentLog): Promise<Broker> {
  const broker = createRedisBroker({ connection: { url }, log, globalKeyprefix })
  atTestEnd(() => broker.close())
  await broker.ping(5000)
  return broker
}

describe('fanout on Redis', () => {
  describeFanout(async () => makeBroker((await startRedis()).url))

  it('Must 8.1-3: has the channels, patterns and bindings of Python, and leaves none behind', async () => {
    const server = await startRedis()
    const url = server.url.replace(/0$/, '3')
    const redis = redisClient(url)
    const broker = await makeBroker(url, 'p[1]*:')
    const heard: string[] = []
    const listening = broker.fanout.listen({
      exchange: 'celeryev',
      routingKey: 'worker.#',
      queue: 'celeryev.me',
      onMessage: (envelope) => void heard.push(envelope),
    })
    await listening.established
    expect(await redis.pubsub('NUMPAT')).toBe(1)
    expect(await redis.smembers('p[1]*:_kombu.binding.celeryev')).toEqual([
      'worker.#\x06\x16\x06\x16celeryev.me',
    ])
    expect(await redis.publish('p[1]*:/3.celeryev/worker.heartbeat', 'beat')).toBe(1)
    expect(await redis.publish('p1abc:/3.celeryev/worker.heartbeat', 'of another prefix')).toBe(0)
    expect(await redis.publish('p[1]*:/0.celeryev/worker.heartbeat', 'of another database')).toBe(0)
    await vi.waitFor(() => expect(heard).toEqual(['beat']), WITHIN)

    await listening.stop()
    expect(await redis.pubsub('NUMPAT')).toBe(0)
    expect(await redis.exists('p[1]*:_kombu.binding.celeryev')).toBe(0)
  })

  it('Must 8.4: listens again after its connections were closed, and after a restart of the server', async () => {
    const server = await startRedis()
    const redis = redisClient(server.url)
    const broker = await makeBroker(server.url)
    // The same connection tells a waiting consumer of new messages.
    const consumer = broker.consumer({ queues: ['q'], consumerId: 'w@h:1' })
    await consumer.start()
    atTestEnd(() => consumer.stop())
    const heard: string[] = []
    const options = { exchange: 'ev', routingKey: '#', queue: 'ev.me' }
    broker.fanout.listen({ ...options, onMessage: (envelope) => void heard.push(envelope) })
    const published = (text: string): Promise<void> =>
      eventually(async () => (await redis.publish('/0.ev/x', text)) === 1).then(() =>
        vi.waitFor(() => expect(heard.at(-1)).toBe(text), WITHIN),
      )
    const wakesUp = async (): Promise<boolean> => {
      const stop = AbortSignal.timeout(10_000)
      const waiting = consumer.waitForWork(60_000, stop)
      await redis.lpush('q', 'x')
      await waiting
      expect(stop.aborted).toBe(false)
      // It was handed over, or it is still there.
      await redis.del('q')
      return true
    }
    await published('first')
    await wakesUp()
    for (let round = 0; round < 3; round++) {
      await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await published(`after a kill ${round}`)
    }
    await wakesUp()
    await server.restart()
    await eventually(() => redis.ping())
    await published('after a restart')
    expect(await eventually(() => redis.scard('_kombu.binding.ev'))).toBe(1)
    await eventually(wakesUp)
  })

  it('is told where the server does not let it listen or publish, and goes on otherwise', async () => {
    const server = await startRedis()
    const redis = redisClient(server.url)
    await redis.call('ACL', 'SETUSER', 'mute', 'on', '>secret', '~*', '+@all', 'resetchannels')
    const log = recordingLog()
    const broker = await makeBroker(server.url.replace('://', '://mute:secret@'), '', log)
    const listening = broker.fanout.listen({
      exchange: 'ev',
      routingKey: '#',
      queue: 'ev.me',
      onMessage: () => undefined,
    })
    await expect(listening.established).rejects.toThrow(/NOPERM/)
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'the server does not let us listen' }),
    )
    await expect(
      broker.fanout.publish({ exchange: 'ev', routingKey: 'x', envelope: 'x' }),
    ).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', mayHaveBeenSent: false })
    await listening.stop()
    expect(await broker.queueLength('q')).toBe(0)
  })
})
