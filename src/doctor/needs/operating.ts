import { each, scripts, type Need } from './need.js'
import type { Places } from '../places.js'

export function counting({ lists, keys }: Places): Need[] {
  return [...each('LLEN', lists), ...each('ZCARD', [keys.deadLetters[0]])]
}

/** For metrics, in one script. */
export function measuring({ lists, parked, keys }: Places): Need[] {
  const needs: Need[] = [
    ...scripts([keys.unackedIndex, ...parked, ...lists]),
    { command: 'TIME' },
    ...each('LLEN', lists),
    ...each('LINDEX', lists, ['0']),
    ...each('ZCARD', [keys.deadLetters[0], ...parked]),
    ...each('ZCOUNT', [keys.unackedIndex, ...parked], ['0', '0']),
    ...each('ZRANGE', parked, ['0', '0']),
  ]
  return needs.map((need) => ({ ...need, without: 'its metrics do not tell of queues' }))
}

/** Workers, by their leases. */
export function finding({ keys }: Places): Need[] {
  const needs: Need[] = [{ command: 'TIME' }, ...each('ZRANGEBYSCORE', [keys.leases], ['0', '0'])]
  return needs.map((need) => ({ ...need, without: 'it does not see workers that are too busy to reply' }))
}

export function operating({ lists, keys, bindings, controlBinding, eventBinding }: Places): Need[] {
  const [deadIndex, deadElements, deadInformation] = keys.deadLetters
  const dead = [deadElements, deadInformation]
  return [
    { command: 'MULTI' },
    { command: 'EXEC' },
    ...scripts([...keys.deadLetters, ...lists]),
    ...each('DEL', [...lists, ...keys.deadLetters]),
    ...each('ZREVRANGE', [deadIndex], ['0', '0']),
    ...each('ZMSCORE', [deadIndex], ['']),
    ...each('ZSCORE', [deadIndex], ['']),
    ...each('ZREM', [deadIndex], ['']),
    ...each('HMGET', dead, ['']),
    ...each('HLEN', [deadElements]),
    ...each('HDEL', dead, ['']),
    ...each('SMEMBERS', [...bindings, controlBinding, eventBinding]).map((need) => ({
      ...need,
      without: 'it cannot list bindings',
    })),
  ]
}

/** What the doctor asks beside permissions. */
export function examining({ lists, bindings, parked, keys, beatLock, beatEntries, result }: Places): Need[] {
  const { unacked, unackedIndex, unackedMutex, leases, deadLetters } = keys
  const work = [unacked, unackedIndex, unackedMutex, leases, beatLock, beatEntries, ...bindings]
  const needs: Need[] = [
    { command: 'TIME' },
    { command: 'ACL WHOAMI' },
    { command: 'SCAN', after: ['0'] },
    ...each('TTL', [...work, ...deadLetters, ...parked, ...lists, result]),
    ...each('OBJECT IDLETIME', lists),
    ...each('LINDEX', lists, ['0']),
    ...each('ZCARD', [unackedIndex, ...parked]),
    ...each('ZCOUNT', [unackedIndex, leases], ['0', '0']),
  ]
  return needs.map((need) => ({ ...need, without: 'the doctor does not see as much' }))
}
