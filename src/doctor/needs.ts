import type { Places } from './places.js'
import type { Use } from './subject.js'

/**
 * Which commands each process runs on which keys and channels: what the doctor asks leave for, and what the
 * documented ACL users are made of. A test holds the scripts' commands against it.
 */
export const ROLES = ['producer', 'worker', 'beat', 'api', 'operator'] as const
/** An operator is a person with the command or the library: purges queues, retries and drops dead letters. */
export type Role = (typeof ROLES)[number]

export interface Need {
  /** With its subcommand where it has one: `CLIENT TRACKING`. */
  readonly command: string
  /** Arguments before the keys. */
  readonly before?: readonly string[]
  readonly keys?: readonly string[]
  readonly channels?: readonly string[]
  /** Arguments behind the keys, such as make the call complete; it is never carried out. */
  readonly after?: readonly string[]
  /** What is worse without it, where all goes on all the same. */
  readonly without?: string
}

const SCRIPT = 'return 0'
const SCRIPT_DIGEST = '0'.repeat(40)

export interface Deployment {
  /** Number of the database. */
  readonly db: number
  readonly isCluster: boolean
}

/** All that a role needs where a Redis is there for `uses`. */
export function needsOf(
  role: Role,
  uses: readonly Use[],
  at: Places,
  deployment: Deployment,
): readonly Need[] {
  const needs: Need[] = connecting(deployment)
  if (uses.includes('broker')) {
    needs.push(...sending(at), ...sendingUnique(at), ...telling(at))
    if (role === 'worker')
      needs.push(...working(at), ...coordinating(at), ...beingControlled(at), ...controlling(at))
    if (role === 'beat') needs.push(...scheduling(at))
    if (role === 'api' || role === 'operator') needs.push(...counting(at), ...controlling(at))
    if (role === 'operator') needs.push(...operating(at), ...examining(at), ...watching(at))
  }
  // Beat sends, and asks for no result.
  if (uses.includes('results') && role !== 'beat') {
    needs.push(...awaiting(at, deployment))
    if (role !== 'api') needs.push(...each('DEL', [at.result]), ...grouping(at))
    if (role === 'worker') needs.push(...storing(at), ...countingParts(at, deployment))
  }
  return needs
}

function connecting({ db, isCluster }: Deployment): Need[] {
  return [
    { command: 'PING' },
    ...(db === 0 ? [] : [{ command: 'SELECT', after: [String(db)] }]),
    ...(isCluster
      ? [
          { command: 'CLUSTER SLOTS' },
          { command: 'CLUSTER KEYSLOT', after: [''] },
          { command: 'CLUSTER INFO' },
        ]
      : []),
    {
      command: 'CLIENT SETNAME',
      after: ['lovage:doctor'],
      without: 'its connections have no name in CLIENT LIST',
    },
    {
      command: 'INFO',
      without: 'that a server is loading, or has become a replica, is noticed by what it refuses only',
    },
  ]
}

function sending({ lists, bindings }: Places): Need[] {
  return [...each('LPUSH', lists, ['']), ...each('SADD', bindings, [''])]
}

/** Events, for monitors. */
function telling({ eventChannels }: Places): Need[] {
  const without = 'monitors do not hear of it and its tasks'
  return [{ command: 'PUBLISH', channels: [eventChannels], after: [''], without }]
}

/** Being a monitor. */
function watching({ eventBinding, eventChannels }: Places): Need[] {
  const needs: Need[] = [
    { command: 'PSUBSCRIBE', channels: [eventChannels] },
    { command: 'PUNSUBSCRIBE' },
    ...each('SADD', [eventBinding], ['']),
    ...each('SREM', [eventBinding], ['']),
  ]
  return needs.map((need) => ({ ...need, without: 'it cannot watch events' }))
}

function working(at: Places): Need[] {
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

function sendingUnique({ unique }: Places): Need[] {
  const needs: Need[] = [
    ...scripts([unique]),
    ...each('GET', [unique]),
    ...each('SET', [unique], ['']),
    ...each('DEL', [unique]),
    ...each('PEXPIRE', [unique], ['1']),
  ]
  return needs.map((need) => ({ ...need, without: 'calls that are to be unique are refused' }))
}

/** Only where tasks have limits over all workers. */
function coordinating({ slots, rate }: Places): Need[] {
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

function beingControlled({ keys, controlBinding, controlChannel, replyBinding, replyList }: Places): Need[] {
  const needs: Need[] = [
    { command: 'PSUBSCRIBE', channels: [controlChannel] },
    { command: 'PUNSUBSCRIBE' },
    ...each('SADD', [controlBinding], ['']),
    ...each('SREM', [controlBinding], ['']),
    ...scripts([replyBinding, replyList]),
    ...each('SISMEMBER', [replyBinding], ['']),
    ...each('LPUSH', [replyList], ['']),
    ...each('EXPIRE', [replyList], ['1']),
  ]
  const remembering = each('ZRANGEBYSCORE', [keys.revoked], ['0', '0'])
  const forgetful = 'it does not know what was revoked before it started'
  return [
    ...needs.map((need) => ({ ...need, without: 'remote control does not reach it' })),
    ...remembering.map((need) => ({ ...need, without: forgetful })),
  ]
}

/** Asking workers, and telling them. */
function controlling({ keys, controlChannel, replyBinding, replyList }: Places): Need[] {
  const needs: Need[] = [
    { command: 'PUBLISH', channels: [controlChannel], after: [''] },
    ...each('SADD', [replyBinding], ['']),
    ...each('SREM', [replyBinding], ['']),
    ...each('BRPOP', [replyList], ['1']),
    ...each('DEL', [replyList]),
  ]
  const keeping = [
    ...each('ZADD', [keys.revoked], ['0', '']),
    ...each('ZREMRANGEBYSCORE', [keys.revoked], ['0', '0']),
    ...each('ZREMRANGEBYRANK', [keys.revoked], ['0', '0']),
  ]
  const forgotten = 'workers that start later do not know what it revokes'
  return [
    ...needs.map((need) => ({ ...need, without: 'it cannot ask or tell other workers anything' })),
    ...keeping.map((need) => ({ ...need, without: forgotten })),
  ]
}

function scheduling({ beatLock, beatEntries }: Places): Need[] {
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

function counting({ lists, keys }: Places): Need[] {
  return [...each('LLEN', lists), ...each('ZCARD', [keys.deadLetters[0]])]
}

function operating({ lists, keys }: Places): Need[] {
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
  ]
}

/** What the doctor asks beside permissions. */
function examining({ lists, bindings, parked, keys, beatLock, beatEntries, result }: Places): Need[] {
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

function awaiting({ result }: Places, { isCluster }: Deployment): Need[] {
  return [
    // Several results are in several slots.
    ...each(isCluster ? 'GET' : 'MGET', [result]),
    { command: 'SUBSCRIBE', channels: [result] },
    { command: 'UNSUBSCRIBE', after: [] },
  ]
}

function storing({ result }: Places): Need[] {
  return [
    ...scripts([result]),
    ...each('SET', [result], ['']),
    ...each('GET', [result]),
    { command: 'PUBLISH', channels: [result], after: [''] },
  ]
}

/** Groups that are saved, and chords that are started. */
function grouping({ group }: Places): Need[] {
  return [
    ...each('SET', [group], ['']),
    ...each('GET', [group]),
    ...each('DEL', [group]),
    { command: 'PUBLISH', channels: [group], after: [''] },
  ]
}

function countingParts({ group, besideGroup }: Places, { isCluster }: Deployment): Need[] {
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
    ...each('SADD', [beside], ['']),
    ...each('SET', [beside], ['']),
    ...each('GET', [beside]),
    ...each('DEL', [beside]),
  ]
}

function scripts(keys: readonly string[]): Need[] {
  const before = [String(keys.length)]
  return [
    { command: 'EVALSHA', before: [SCRIPT_DIGEST, ...before], keys },
    { command: 'EVAL', before: [SCRIPT, ...before], keys },
  ]
}

function each(command: string, keys: readonly string[], after: readonly string[] = []): Need[] {
  return keys.map((key) => ({ command, keys: [key], after }))
}

/** The whole call, as a client would send it. */
export function callOf({ command, before = [], keys = [], channels = [], after = [] }: Need): string[] {
  return [...command.split(' '), ...before, ...keys, ...channels, ...after]
}
