import { count, fault, ok, unseen, warning } from '../finding.js'
import { allSeen, observe, type Observation } from '../observe.js'
import { placesOf } from '../places.js'
import type { RedisClient } from '../../redis/connect.js'
import type { Redis } from 'ioredis'
import type { SubjectCheck } from '../subject.js'

/** What `TTL` answers for a key without expiry. */
const FOR_EVER = -1

/** Whatever has an expiry goes by itself, and under a volatile policy when memory is short. */
export const wantedForEver: SubjectCheck = {
  name: 'expiring-work',
  async look({ client, settings, queues }) {
    const { keys, lists, bindings, parked, beatEntries } = placesOf(settings, queues)
    const { unacked, unackedIndex, leases, deadLetters } = keys
    const lasting = [
      unacked,
      unackedIndex,
      leases,
      beatEntries,
      ...deadLetters,
      ...parked,
      ...bindings,
      ...lists,
    ]
    const ttls = allSeen(await Promise.all(lasting.map((key) => ttlOf(client, key))))
    if (ttls.kind === 'unseen') return unseen('expiring-work', ttls.why)
    const expiring = lasting.filter((_, i) => (ttls.value[i] ?? FOR_EVER) >= 0)
    if (expiring.length === 0) return ok('expiring-work', 'no queue or record of work expires')
    const shown = expiring.slice(0, 3).map((key) => JSON.stringify(key))
    const found = `${count(expiring.length, 'key')} of work with an expiry: ${shown.join(', ')}`
    return fault('expiring-work', found, 'PERSIST them, and find out who sets it')
  },
}

/** A lock that never goes locks out everybody once its holder has died. */
export const lastingLocks: SubjectCheck = {
  name: 'lasting-locks',
  async look({ client, settings, queues }) {
    const { keys, beatLock } = placesOf(settings, queues)
    const locks = [keys.unackedMutex, beatLock]
    const ttls = allSeen(await Promise.all(locks.map((key) => ttlOf(client, key))))
    if (ttls.kind === 'unseen') return unseen('lasting-locks', ttls.why)
    const lasting = locks.filter((_, i) => ttls.value[i] === FOR_EVER)
    if (lasting.length === 0) return ok('lasting-locks', 'none')
    const found = `${lasting.map((key) => JSON.stringify(key)).join(', ')} without an expiry`
    return fault('lasting-locks', found, 'DEL it: nothing is put back, or no beat sends, while it is there')
  },
}

const MOST_ROUNDS = 20
const KEYS_PER_ROUND = 500
const MOST_MS = 2000
const MOST_LOOKED_AT = 1000

/** A sample of results, and of what inspections by Python leave behind. */
export const lastingResults: SubjectCheck = {
  name: 'lasting-keys',
  async look({ client, servers, resultPrefix, settings }) {
    const samples = allSeen(await Promise.all(servers.map((view) => sampleKeys(view.client))))
    if (samples.kind === 'unseen') return unseen('lasting-keys', samples.why)
    const keys = samples.value.flat()
    const results = keys.filter((key) => key.startsWith(resultPrefix)).slice(0, MOST_LOOKED_AT)
    const replies = keys.filter((key) => key.endsWith('.reply.celery.pidbox')).slice(0, MOST_LOOKED_AT)
    const ttls = allSeen(await Promise.all([...results, ...replies].map((key) => ttlOf(client, key))))
    if (ttls.kind === 'unseen') return unseen('lasting-keys', ttls.why)
    const areLasting = ttls.value.map((ttl) => ttl === FOR_EVER)
    const lastingResultCount = areLasting.slice(0, results.length).filter(Boolean).length
    const lastingReplyCount = areLasting.slice(results.length).filter(Boolean).length
    const sampled = `of ${count(keys.length, 'key')} looked at`
    if (lastingResultCount > 0) {
      const found = `${count(lastingResultCount, 'result')} ${sampled} never go`
      const advice =
        settings.resultExpires === 0
          ? 'set resultExpires to the seconds for which results are needed'
          : 'look for a peer with result_expires=0; EXPIRE those that are there'
      return warning('lasting-keys', found, advice)
    }
    if (lastingReplyCount > 0) {
      const lasting = replies.filter((_, i) => areLasting[results.length + i])
      const shown = lasting.slice(0, 3).join(', ')
      const found = `${count(lastingReplyCount, 'reply list')} ${sampled} never go: ${shown}`
      const advice = 'Python’s inspect leaves them: EXPIRE those of commands that have ended'
      return warning('lasting-keys', found, advice)
    }
    return ok('lasting-keys', `none ${sampled}`)
  },
}

async function sampleKeys(client: Redis): Promise<Observation<string[]>> {
  const keys: string[] = []
  const start = performance.now()
  let cursor = '0'
  for (let round = 0; round < MOST_ROUNDS && performance.now() - start < MOST_MS; round += 1) {
    const page = await observe('SCAN', () => client.scan(cursor, 'COUNT', KEYS_PER_ROUND))
    if (page.kind === 'unseen') return page
    keys.push(...page.value[1])
    cursor = page.value[0]
    if (cursor === '0') break
  }
  return { kind: 'seen', value: keys }
}

function ttlOf(client: RedisClient, key: string): Promise<Observation<number>> {
  return observe('TTL', () => client.ttl(key))
}
