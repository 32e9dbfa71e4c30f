import { each, scripts, type Deployment, type Need } from './need.js'
import type { Places } from '../places.js'

export function awaiting({ result }: Places, { isCluster }: Deployment): Need[] {
  return [
    // Several results are in several slots.
    ...each(isCluster ? 'GET' : 'MGET', [result]),
    { command: 'SUBSCRIBE', channels: [result] },
    { command: 'UNSUBSCRIBE', after: [] },
  ]
}

export function storing({ result }: Places): Need[] {
  return [
    ...scripts([result]),
    ...each('SET', [result], ['']),
    ...each('GET', [result]),
    { command: 'PUBLISH', channels: [result], after: [''] },
  ]
}

/** Groups that are saved, and chords that are started. */
export function grouping({ group }: Places): Need[] {
  return [
    ...each('SET', [group], ['']),
    ...each('GET', [group]),
    ...each('DEL', [group]),
    { command: 'PUBLISH', channels: [group], after: [''] },
  ]
}

export function countingParts({ group, besideGroup }: Places, { isCluster }: Deployment): Need[] {
  const beside = isCluster ? besideGroup : group
  return [
    ...scripts([group]),
    ...scripts([beside]),
    ...each('TYPE', [group]),
    ...each('ZRANGEBYSCORE', [group], ['0', '0']),
    ...each('ZADD', [group], ['0', '']),
    ...each('ZREM', [group], ['']),
    ...each('ZCARD', [group]),
    ...each('ZRANGE', [group], ['0', '0']),
    ...each('LLEN', [group]),
    ...each('LRANGE', [group], ['0', '0']),
    ...each('RPUSH', [group], ['']),
    ...each('LINDEX', [group], ['0']),
    ...each('LSET', [group], ['0', '']),
    ...each('INCRBY', [group], ['1']),
    ...each('EXPIRE', [group, beside], ['1']),
    ...each('HGET', [beside], ['']),
    ...each('HSET', [beside], ['', '']),
    ...each('HSETNX', [beside], ['', '']),
    ...each('HMGET', [beside], ['']),
    ...each('SADD', [beside], ['']),
    ...each('SET', [beside], ['']),
    ...each('GET', [beside]),
    ...each('DEL', [beside]),
  ]
}
