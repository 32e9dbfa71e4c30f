import { describe, expect, it } from 'vitest'
import type { EntryState, EntryStore } from '../../../src/beat/entry-store.js'
import { memoryEntryStore } from '../../../src/beat/memory-entry-store.js'
import { redisEntryStore } from '../../../src/beat/redis-entry-store.js'
import { eventually } from '../../support/eventually.js'
import { redisOfFile } from './redis-of-file.js'

const server = redisOfFile()

const state: EntryState = { lastRunAt: new Date('2024-05-10T10:00:00.125Z'), totalRunCount: 3 }
const claimed: EntryState = { ...state, totalRunCount: 4, unsentTick: new Date('2024-05-10T10:00:30Z') }

async function taken(store: EntryStore, ttlMs = 60_000): Promise<string> {
  const token = await store.acquire(ttlMs)
  if (token === undefined) throw new Error('the lease is taken')
  return token
}

describe.each([
  ['in memory', () => memoryEntryStore()],
  ['on Redis', () => redisEntryStore(server.redis, { prefix: server.ownPrefix() })],
])('an entry store %s', (_, createStore) => {
  it('gives its lease to one at a time', async () => {
    const store = createStore()
    const token = await taken(store)
    expect(await store.acquire(60_000)).toBeUndefined()
    await store.release(token)
    expect(await taken(store)).not.toBe(token)
  })

  it('gives the lease to another when it ran out', async () => {
    const store = createStore()
    const first = await taken(store, 30)
    const second = await eventually(() => taken(store))
    expect(await store.renew(first, 60_000)).toBe(false)
    await store.release(first)
    expect(await store.renew(second, 60_000)).toBe(true)
  })

  it('keeps a lease that is renewed', async () => {
    const store = createStore()
    const token = await taken(store, 500)
    expect(await store.renew(token, 60_000)).toBe(true)
    expect(
      await eventually(() => store.acquire(1), { timeoutMs: 700 }).catch(() => undefined),
    ).toBeUndefined()
  })

  it('returns what was saved', async () => {
    const store = createStore()
    const token = await taken(store)
    expect(await store.read('daily')).toBeUndefined()
    await store.save(token, 'daily', undefined, state)
    await store.save(token, 'hourly', undefined, claimed)
    expect((await store.read('daily'))?.state).toEqual(state)
    expect((await store.read('hourly'))?.state).toEqual(claimed)
  })

  it('saves over the state that the caller knows, and over no other', async () => {
    const store = createStore()
    const token = await taken(store)
    const first = await store.save(token, 'daily', undefined, state)
    if (first.kind !== 'saved') throw new Error(first.kind)
    expect((await store.read('daily'))?.revision).toBe(first.revision)

    expect(await store.save(token, 'daily', undefined, claimed)).toEqual({ kind: 'changed' })
    expect(await store.save(token, 'daily', first.revision, claimed)).toMatchObject({ kind: 'saved' })
    expect(await store.save(token, 'daily', first.revision, state)).toEqual({ kind: 'changed' })
    expect((await store.read('daily'))?.state).toEqual(claimed)
  })

  it('saves nothing for one whose lease is over', async () => {
    const store = createStore()
    const token = await taken(store, 30)
    await eventually(() => taken(store))
    expect(await store.save(token, 'daily', undefined, state)).toEqual({ kind: 'fenced' })
    expect(await store.read('daily')).toBeUndefined()
  })
})

describe('an entry store on Redis', () => {
  it('keeps entries as JSON in a hash that does not expire, and the lease in a key that does', async () => {
    const prefix = server.ownPrefix()
    const store = redisEntryStore(server.redis, { prefix })
    const token = await taken(store)
    await store.save(token, 'daily', undefined, state)

    expect(await server.redis.hgetall(`${prefix}lovage.beat.entries`)).toEqual({
      daily: '{"lastRunAt":"2024-05-10T10:00:00.125Z","totalRunCount":3}',
    })
    expect(await server.redis.pttl(`${prefix}lovage.beat.entries`)).toBe(-1)
    expect(await server.redis.get(`${prefix}lovage.beat.lock`)).toBe(token)
    const ttlMs = await server.redis.pttl(`${prefix}lovage.beat.lock`)
    expect(ttlMs).toBeGreaterThan(50_000)
    expect(ttlMs).toBeLessThanOrEqual(60_000)
  })

  it.each(['nonsense', '[]', '{"lastRunAt":"yesterday","totalRunCount":1}', '{"lastRunAt":"2024-05-10"}'])(
    'says where it cannot read %j',
    async (text) => {
      const prefix = server.ownPrefix()
      await server.redis.hset(`${prefix}lovage.beat.entries`, 'daily', text)
      expect(await redisEntryStore(server.redis, { prefix }).read('daily')).toEqual({
        state: undefined,
        revision: text,
      })
    },
  )
})
