import { credentialsOf } from '../../redis/connector.js'
import { closeRedis, openRedis, ready, type RedisConnectionOptions } from '../../redis/connect.js'
import { fault, ok, unseen, warning } from '../finding.js'
import { observe, type Observation } from '../observe.js'
import { callOf, type Need } from '../needs/need.js'
import { needsOf, ROLES, type Role } from '../needs.js'
import { placesOf } from '../places.js'
import { isReplica } from './server-kind.js'
import type { Finding } from '../finding.js'
import type { Redis } from 'ioredis'
import type { Subject, SubjectCheck } from '../subject.js'

const NAME = 'permissions'

/**
 * What the user of the URL may do.
 *
 * A server checks permissions when a command is queued in a transaction, so each command is queued, and all of them
 * are discarded: nothing is carried out.
 */
export const permissions: SubjectCheck = {
  name: NAME,
  async look(subject) {
    if (subject.servers.some(isReplica)) return unseen(NAME, 'a replica refuses what writes to anybody')
    const at = placesOf(subject.settings, subject.queues)
    const deployment = {
      db: subject.servers[0]?.target?.db ?? 0,
      isCluster: subject.endpoint.kind === 'cluster',
    }
    const roles = subject.role === undefined ? ROLES : [subject.role]
    const needs = roles.map((role) => [role, needsOf(role, subject.uses, at, deployment)] as const)
    const denied = await deniedOf(
      subject,
      needs.flatMap(([, needed]) => needed),
    )
    if (denied.kind === 'unseen') return unseen(NAME, denied.why)
    const lacks = needs.map(([role, needed]) => {
      return [role, needed.filter((need) => denied.value.has(nameOf(need)))] as const
    })
    return judge(await userOf(subject), new Map(lacks))
  },
}

function judge(user: string, lacks: ReadonlyMap<Role, readonly Need[]>): Finding {
  const isMet = (needs: readonly Need[]): boolean => needs.every(({ without }) => without !== undefined)
  const able = [...lacks].filter(([, needs]) => isMet(needs))
  const unable = [...lacks].filter(([, needs]) => !isMet(needs))
  if (able.length === 0) {
    // The role that lacks least is likely to be the one that was meant.
    const [role, needs] = unable.toSorted(([, a], [, b]) => a.length - b.length)[0] ?? ['producer', []]
    const found = `user ${user} is not enough for ${role}: it may not ${describe(needs, 5)}`
    return fault(NAME, found, 'allow it by ACL SETUSER; docs/acl.md has the rules for each role')
  }
  const roles = able.map(([role]) => role).join(', ')
  const others = unable.map(([role, needs]) => `; not for ${role}: ${describe(needs, 1)}`).join('')
  const found = `user ${user} has all for ${roles}${others}`
  const [worse] = able.flatMap(([, needs]) => needs)
  if (worse === undefined) return ok(NAME, found)
  return warning(NAME, `${found}, but for ${worse.command}`, `allow it, else ${worse.without}`)
}

/** `LTRIM shop:celery and 3 more keys, TIME and 2 more commands`. */
function describe(needs: readonly Need[], most: number): string {
  const byCommand = new Map<string, readonly string[]>()
  for (const { command, keys = [], channels = [] } of needs) {
    byCommand.set(command, [...(byCommand.get(command) ?? []), ...keys, ...channels])
  }
  const texts = [...byCommand].map(([command, places]) => {
    const [first, ...others] = new Set(places)
    if (first === undefined) return command
    return `${command} ${printable(first)}${more(others.length, 'key')}`
  })
  return texts.slice(0, most).join(', ') + more(texts.length - most, 'command')
}

function more(others: number, noun: string): string {
  return others > 0 ? ` and ${others} more ${noun}${others === 1 ? '' : 's'}` : ''
}

/** The separator of priorities is made of control characters. */
function printable(key: string): string {
  return JSON.stringify(key).slice(1, -1)
}

async function userOf({ servers }: Subject): Promise<string> {
  const [view] = servers
  if (view === undefined) return 'default'
  const answer = await observe('ACL WHOAMI', () => view.client.call('ACL', 'WHOAMI'))
  return answer.kind === 'seen'
    ? String(answer.value)
    : (credentialsOf(view.client.stream)?.username ?? 'default')
}

/** Not to be queued: `EXEC` would carry out all that is, and these others cannot be. */
const ASKED_ALONE = ['EXEC', 'SUBSCRIBE', 'PSUBSCRIBE', 'UNSUBSCRIBE', 'PUNSUBSCRIBE']

/** Names of those that the user may not run. */
async function deniedOf(
  { servers, connection }: Subject,
  needs: readonly Need[],
): Promise<Observation<ReadonlySet<string>>> {
  const [view] = servers
  if (view === undefined) return { kind: 'unseen', why: 'there is no server' }
  const different = [...new Map(needs.map((need) => [nameOf(need), need])).values()]
  const isAlone = ({ command }: Need): boolean => ASKED_ALONE.includes(command)

  const queued = await deniedInTransaction(
    view.client,
    different.filter((need) => !isAlone(need)),
  )
  if (queued.kind === 'unseen') return queued
  const alone = await deniedAlone(connection, different.filter(isAlone))
  return { kind: 'seen', value: new Set([...queued.value, ...alone].map(nameOf)) }
}

async function deniedInTransaction(client: Redis, needs: readonly Need[]): Promise<Observation<Need[]>> {
  const opened = await observe('MULTI', () => client.call('MULTI'))
  if (opened.kind === 'unseen') return opened
  // Written in one go, so that no new connection, which knows no transaction, gets a part of them.
  const refusals = Promise.all(
    needs.map(async (need) => {
      const [command = '', ...args] = callOf(need)
      return client.call(command, ...args).then(() => false, isDenial)
    }),
  )
  const discarded = await observe('DISCARD', () => client.call('DISCARD'))
  if (discarded.kind === 'unseen') client.disconnect(true)
  const isRefused = await refusals
  return { kind: 'seen', value: needs.filter((_, i) => isRefused[i]) }
}

/** On a connection of their own: one that has subscribed can do nothing else. */
async function deniedAlone(connection: RedisConnectionOptions, needs: readonly Need[]): Promise<Need[]> {
  const client = openRedis(connection, 'doctor')
  try {
    await ready(client)
    const inOrder = needs.toSorted((a, b) => ASKED_ALONE.indexOf(a.command) - ASKED_ALONE.indexOf(b.command))
    const denied: Need[] = []
    for (const need of inOrder) {
      const [command, ...args] = callOf(need)
      try {
        if (command === 'SUBSCRIBE') await client.subscribe(...args)
        else if (command === 'PSUBSCRIBE') await client.psubscribe(...args)
        // Of all there is, it would be answered only when the other kind of subscriptions is gone, too.
        else if (command === 'UNSUBSCRIBE') await client.unsubscribe('')
        else if (command === 'PUNSUBSCRIBE') await client.punsubscribe('')
        else await client.call('EXEC')
      } catch (error) {
        if (isDenial(error)) denied.push(need)
      }
    }
    return denied
  } finally {
    await closeRedis(client)
  }
}

function nameOf(need: Need): string {
  return callOf(need).join('\0')
}

/** Refused for who asks, or not there; all else that a server may answer here says that it would be allowed. */
function isDenial(error: unknown): boolean {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return false
  // EXEC has a form of its own: `EXECABORT Transaction discarded because of: NOPERM ...`.
  return /^(?:EXECABORT .*: )?NOPERM |unknown (?:sub)?command/i.test(error.message)
}
