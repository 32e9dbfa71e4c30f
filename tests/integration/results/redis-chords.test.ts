import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { formatChordPart } from '../../../src/serialization/chord-part.js'
import { serializerNamed } from '../../../src/serialization/serializers.js'
import { AsyncResult } from '../../../src/results/async-result.js'
import { GroupResult } from '../../../src/results/group-result.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startCommandProxy } from '../../support/command-proxy.js'
import { backendSite } from './backend-site.js'
import { part } from './chord-conformance.js'
import { stored } from './conformance.js'

const site = backendSite()
const { makeBackend } = site

const DAY = 86_400

describe('chords on Redis', () => {
  it('Must 11.3: are Celery’s keys, texts and times to live', async () => {
    const { chords } = await makeBackend()
    const redis = redisClient(site.server.url)
    const listener = redisClient(site.server.url)
    const group = randomUUID()
    const key = `celery-taskset-meta-${group}`
    await listener.subscribe(`${key}.s`)
    const announced = new Promise((resolve) => listener.on('message', (_channel, text) => resolve(text)))
    await chords.start(group, 3)
    expect(await announced).toBe('3')
    expect(await redis.get(`${key}.s`)).toBe('3')
    await chords.addParts([part(group, 1, { text: 'Zürich', n: [1, 2] }, { taskId: 'one' })])
    await chords.addParts([{ ...part(group, undefined, null, { taskId: 'late' }), trace: '00-a-b-01' }])
    expect(await redis.hgetall(`${key}.j.lovage.traces`)).toEqual({ late: '00-a-b-01' })
    expect(await redis.ttl(`${key}.j.lovage.traces`)).toBeGreaterThan(DAY - 60)
    expect(await redis.zrange(`${key}.j`, '0', '-1', 'WITHSCORES')).toEqual([
      '[1, "one", "SUCCESS", {"text": "Z\\u00fcrich", "n": [1, 2]}]',
      '1',
      '[1, "late", "SUCCESS", null]',
      'inf',
    ])
    await chords.extend(group, ['late'])
    expect(await redis.get(`${key}.t`)).toBe('1')
    for (const suffix of ['.s', '.j', '.t']) {
      expect(await redis.ttl(key + suffix)).toBeGreaterThan(DAY - 60)
      expect(await redis.ttl(key + suffix)).toBeLessThanOrEqual(DAY)
    }
    await chords.end(group)
    const left = (await redis.keys(`${key}*`)).toSorted()
    expect(left).toEqual([`${key}.j.lovage`])
    expect(await redis.ttl(`${key}.j.lovage`)).toBeGreaterThan(DAY - 60)
  })

  it('Must 11.3: are a list where resultChordOrdered is false', async () => {
    const { chords } = await makeBackend({ isChordOrdered: false })
    const redis = redisClient(site.server.url)
    const group = randomUUID()
    await chords.start(group, 3)
    await chords.addParts([part(group, 1, 'b', { taskId: 'two' }), part(group, 0, 'a', { taskId: 'one' })])
    expect(await redis.lrange(`celery-taskset-meta-${group}.j`, 0, -1)).toEqual([
      '[1, "two", "SUCCESS", "b"]',
      '[1, "one", "SUCCESS", "a"]',
    ])
    expect(await chords.addParts([part(group, 2, 'c', { taskId: 'three' })])).toEqual(['last'])
    expect((await chords.parts(group)).map(({ result }) => result)).toEqual(['b', 'a', 'c'])
  })

  it('row 8: count a task once in the list form, too', async () => {
    const { chords } = await makeBackend({ isChordOrdered: false })
    const group = randomUUID()
    await chords.start(group, 3)
    const failed = part(group, 0, null, { status: 'FAILURE' })
    await chords.addParts([failed, failed, part(group, 1, 'one')])
    const again = [part(group, 0, 'zero'), part(group, 1, 'not one')]
    expect(await chords.addParts(again)).toEqual(['waiting', 'waiting'])
    expect((await chords.parts(group)).map(({ result }) => result)).toEqual(['zero', 'one'])
    expect(await chords.addParts([part(group, 2, 'two')])).toEqual(['last'])
    expect(await chords.addParts([part(group, 2, 'other')])).toEqual(['last'])
  })

  it('go on in the form in which another worker began', async () => {
    const ordered = await makeBackend()
    const listing = await makeBackend({ isChordOrdered: false })
    for (const [first, second] of [
      [ordered, listing],
      [listing, ordered],
    ] as const) {
      const group = randomUUID()
      await first.chords.start(group, 2)
      await first.chords.addParts([part(group, 0, 0)])
      expect(await second.chords.addParts([part(group, 1, 1)])).toEqual(['last'])
      expect(await second.chords.parts(group)).toHaveLength(2)
    }
  })

  it('recognise a part that Python recorded, of any serializer and id', async () => {
    const redis = redisClient(site.server.url)
    const cases = [
      ['json', 'plain', '[1, "plain", "SUCCESS", 5]'],
      ['json', 'Zürich "9"', '[1, "Z\\u00fcrich \\"9\\"", "SUCCESS", 5]'],
      ['yaml', 'in-yaml', '- 1\n- in-yaml\n- SUCCESS\n- 5\n'],
      ['msgpack', 'packed', Buffer.from(serializerNamed('msgpack').encode([1, 'packed', 'SUCCESS', 5]))],
    ] as const
    for (const isChordOrdered of [true, false]) {
      for (const [name, taskId, recorded] of cases) {
        const serializer = serializerNamed(name)
        const { chords } = await makeBackend({ serializer, isChordOrdered })
        const group = randomUUID()
        const key = `celery-taskset-meta-${group}.j`
        await (isChordOrdered ? redis.zadd(key, 0, recorded) : redis.rpush(key, recorded))
        await chords.start(group, 2)
        const text = formatChordPart({ taskId, status: 'SUCCESS', result: 6 }, 'tagged', serializer)
        const again = { groupId: group, groupIndex: 0, taskId, status: 'SUCCESS', text }
        expect([name, taskId, await chords.addParts([again])]).toEqual([name, taskId, ['waiting']])
        expect(await chords.parts(group)).toEqual([{ taskId, status: 'SUCCESS', result: 5 }])
      }
    }
  })

  it('row 8: last for a day although results expire sooner, and for ever where they do', async () => {
    const redis = redisClient(site.server.url)
    for (const [expiresSeconds, least, most] of [
      [60, DAY - 60, DAY],
      [2 * DAY, DAY + 60, 2 * DAY],
      [0, -1, -1],
    ] as const) {
      const { chords } = await makeBackend({ expiresSeconds })
      const group = randomUUID()
      await chords.start(group, 2)
      await chords.addParts([part(group, 0, 1)])
      for (const suffix of ['.s', '.j']) {
        const ttl = await redis.ttl(`celery-taskset-meta-${group}${suffix}`)
        expect(ttl).toBeGreaterThanOrEqual(least)
        expect(ttl).toBeLessThanOrEqual(most)
      }
      await chords.addParts([part(group, 1, 1)])
      expect(await redis.ttl(`celery-taskset-meta-${group}.j.lovage`)).toBeGreaterThan(0)
    }
  })

  it.each(['evalsha', 'get', 'set'])(
    'row 8: record a part once when the reply to %s was lost',
    async (name) => {
      const proxy = await startCommandProxy({ port: site.server.port })
      const { chords } = await makeBackend({}, `redis://127.0.0.1:${proxy.port}/0`)
      const redis = redisClient(site.server.url)
      const group = randomUUID()
      await chords.start(group, 1)
      let losses = 0
      proxy.decide = ([command = '']) =>
        command.toLowerCase() === name && ++losses === 1 ? 'lose-reply' : 'pass'
      await expect(chords.addParts([part(group, 0, 'one result')])).rejects.toThrow()
      expect(losses).toBe(1)
      expect(await chords.addParts([part(group, 0, 'another')])).toEqual(['last'])
      expect((await chords.parts(group)).map(({ result }) => result)).toEqual(['one result'])
      expect(await redis.zcard(`celery-taskset-meta-${group}.j`)).toBe(1)
    },
  )

  it('say what a part is that nobody can read', async () => {
    const { chords } = await makeBackend()
    const redis = redisClient(site.server.url)
    for (const text of ['not JSON', '{"a": 1}', '[1, 2, 3, 4]']) {
      const group = randomUUID()
      await redis.zadd(`celery-taskset-meta-${group}.j`, 0, text)
      await expect(chords.parts(group)).rejects.toMatchObject({ code: 'UNREADABLE_RESULT' })
      expect(await chords.addParts([part(group, 0, 1)])).toEqual(['waiting'])
    }
  })

  it('have keys with the prefix of the results', async () => {
    const backend = await makeBackend({ globalKeyprefix: 'shop' })
    const redis = redisClient(site.server.url)
    const group = randomUUID()
    await backend.chords.start(group, 2)
    await backend.chords.addParts([part(group, 0, 1)])
    await backend.saveGroup(group, [[group, null], []])
    const keys = await redis.keys(`*${group}*`)
    expect(keys.toSorted()).toEqual(['', '.j', '.s'].map((end) => `shop_celery-taskset-meta-${group}${end}`))
  })
})

describe('groups on Redis', () => {
  it('Must 11.1: are stored and announced as Celery does', async () => {
    const backend = await makeBackend({ expiresSeconds: 60 })
    const redis = redisClient(site.server.url)
    const listener = redisClient(site.server.url)
    const id = randomUUID()
    const key = `celery-taskset-meta-${id}`
    await listener.subscribe(key)
    const announced = new Promise((resolve) => listener.on('message', (_channel, text) => resolve(text)))
    await backend.saveGroup(id, [[id, null], [[['one', null], null]]])
    const text = `{"result":[["${id}",null],[[["one",null],null]]]}`
    expect(await announced).toBe(text)
    expect(await redis.get(key)).toBe(text)
    expect(await redis.ttl(key)).toBeLessThanOrEqual(60)
  })

  it('say what is wrong with what is stored under their key', async () => {
    const backend = await makeBackend()
    const redis = redisClient(site.server.url)
    for (const [text, message] of [
      ['not JSON', /a stored group cannot be decoded/],
      ['[1]', /a stored group must be an object, got/],
      ['{"result": 5}', /a result tuple must be a list, got number 5/],
      ['{"result": [["x", null], 5]}', /the members of x must be a list or null, got number 5/],
      ['{"result": [["", null], []]}', /the id of a result tuple must be a non-empty string/],
    ] as const) {
      const id = randomUUID()
      await redis.set(`celery-taskset-meta-${id}`, text)
      await expect(backend.restoreGroup(id)).rejects.toMatchObject({
        code: 'UNREADABLE_RESULT',
        message: expect.stringMatching(message) as string,
      })
    }
  })

  it.each(['ready before', 'ready after'])(
    'of 10,000 %s one joins cost at most 20 commands',
    async (when) => {
      const { url } = await startRedis()
      const backend = await makeBackend({}, url)
      const redis = redisClient(url)
      const ids = Array.from({ length: 10_000 }, (_, i) => `r${i}`)
      const group = new GroupResult(
        'g',
        ids.map((id) => new AsyncResult(id, backend)),
        backend,
      )
      const storing = await makeBackend({}, url)
      const storeAll = (): Promise<void> => storing.store(ids.map((id, i) => stored(id, 'SUCCESS', i)))
      if (when === 'ready before') await storeAll()
      await redis.config('RESETSTAT')
      const joining = group.join()
      if (when === 'ready after') {
        await expect
          .poll(async () => (await redis.pubsub('NUMSUB', 'celery-task-meta-r9999'))[1], { timeout: 20_000 })
          .toBe(1)
        await storeAll()
      }
      expect(await joining).toEqual(ids.map((_, i) => i))
      const stats = await redis.info('commandstats')
      const callsOf = (command: string): number =>
        Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
      const calls = ['get', 'mget', 'subscribe'].reduce((sum, command) => sum + callsOf(command), 0)
      expect(calls).toBeLessThanOrEqual(20)
      expect(calls).toBeGreaterThan(0)
    },
  )
})
