import { each, scripts, type Need } from './need.js'
import type { Places } from '../places.js'

export function sending({ lists, bindings }: Places): Need[] {
  return [
    ...each('LPUSH', lists, ['']),
    ...each('SADD', bindings, ['']),
    { command: 'TIME', without: 'how long what it sends waits is not measured' },
  ]
}

export function working(at: Places): Need[] {
  const { lists, parked, held, handed } = at
  const { unacked, unackedIndex, unackedMutex, leases, deadLetters } = at.keys
  const [deadIndex, deadElements, deadInformation] = deadLetters
  const slow = 'idle workers look for work once a second, where they could be told of it'
  const late = 'idle workers hear of messages a little later, and all of them of each'
  return [
    ...scripts([unacked, unackedIndex, held, handed, leases, ...deadLetters, ...parked, ...lists]),
    { command: 'TIME' },
    ...each('LRANGE', [...lists, handed], ['0', '0']),
    ...each('LTRIM', [...lists, handed], ['0', '-1']),
    ...each('LLEN', [...lists, handed]),
    ...each('LREM', [handed], ['1', '']),
    ...each('RPUSH', lists, ['']),
    ...each('EXISTS', [...lists, held, handed]),
    ...each('HSET', [unacked, deadElements, deadInformation], ['', '']),
    ...each('HGET', [unacked], ['']),
    ...each('HMGET', [unacked], ['']),
    ...each('HDEL', [unacked, deadElements, deadInformation], ['']),
    ...each('ZADD', [unackedIndex, leases, deadIndex, ...parked], ['0', '']),
    ...each('ZREM', [unackedIndex, leases, deadIndex, ...parked], ['']),
    ...each('ZCARD', [deadIndex]),
    ...each('ZSCORE', [unackedIndex, leases], ['']),
    ...each('ZRANGE', [deadIndex, ...parked], ['0', '0']),
    ...each('ZRANGEBYSCORE', [leases, deadIndex, ...parked], ['0', '0']),
    ...each('ZREVRANGEBYSCORE', [unackedIndex], ['0', '0']),
    ...each('SADD', [held], ['']),
    ...each('SREM', [held], ['']),
    ...each('SMEMBERS', [held]),
    ...each('SISMEMBER', [held], ['']),
    ...each('SMISMEMBER', [held], ['']),
    ...each('SET', [unackedMutex], ['']),
    ...each('GET', [unackedMutex]),
    ...each('DEL', [unackedMutex]),
    ...scripts([unackedMutex]),
    ...lists.map((list) => ({
      command: 'BLMOVE',
      keys: [list, handed],
      after: ['RIGHT', 'LEFT', '0'],
      without: late,
    })),
    { command: 'CLIENT UNBLOCK', after: ['0'], without: late },
    { command: 'CLIENT ID', without: slow },
    { command: 'CLIENT TRACKING', after: ['OFF'], without: slow },
    { command: 'CLIENT CACHING', after: ['YES'], without: slow },
    { command: 'SUBSCRIBE', channels: ['__redis__:invalidate'], without: slow },
  ]
}

export function sendingUnique({ unique, keys }: Places): Need[] {
  const needs: Need[] = [
    ...scripts([unique]),
    ...each('GET', [unique]),
    ...each('SET', [unique], ['']),
    ...each('DEL', [unique]),
    ...each('PEXPIRE', [unique], ['1']),
  ]
  const ofRevoked = each('ZSCORE', [keys.revoked], [''])
  return [
    ...needs.map((need) => ({ ...need, without: 'calls that are to be unique are refused' })),
    ...ofRevoked.map((need) => ({
      ...need,
      without: 'a unique call that was revoked keeps its key until its turn',
    })),
  ]
}

/** Only where tasks have limits over all workers. */
export function coordinating({ slots, rate }: Places): Need[] {
  const needs: Need[] = [
    ...scripts([slots]),
    ...scripts([rate]),
    { command: 'TIME' },
    ...each('GET', [rate]),
    ...each('SET', [rate], ['']),
    ...each('PEXPIRE', [slots], ['1']),
    ...each('ZADD', [slots], ['0', '']),
    ...each('ZCARD', [slots]),
    ...each('ZSCORE', [slots], ['']),
    ...each('ZREM', [slots], ['']),
    ...each('ZREMRANGEBYSCORE', [slots], ['0', '0']),
  ]
  return needs.map((need) => ({ ...need, without: 'tasks with limits over all workers do not run' }))
}

export function scheduling({ beatLock, beatEntries }: Places): Need[] {
  return [
    ...scripts([beatLock, beatEntries]),
    ...each('HGET', [beatEntries], ['']),
    ...each('HSET', [beatEntries], ['', '']),
    ...each('SET', [beatLock], ['']),
    ...each('GET', [beatLock]),
    ...each('DEL', [beatLock]),
    ...each('PEXPIRE', [beatLock], ['1']),
  ]
}
