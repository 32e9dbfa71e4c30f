import { credentialsOf } from '../../redis/connector.js'
import { closeRedis, openRedis, ready } from '../../redis/connect.js'
import { fault, ok, unseen, warning } from '../finding.js'
import { observe } from '../observe.js'
import { callOf, needsOf, placesOf, ROLES, type Need, type Role } from '../needs.js'
import { isReplica } from './server-kind.js'
import { isReply } from '../../redis/script.js'
import type { Finding } from '../finding.js'
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
    const user = await userOf(subject)
    const at = placesOf(subject.settings, subject.queues)
    const deployment = {
      db: subject.servers[0]?.target?.db ?? 0,
      isCluster: subject.endpoint.kind === 'cluster',
    }
    const ask = createAsking(subject)
    try {
      const lacks = new Map<Role, readonly Need[]>()
      for (const role of subject.role === undefined ? ROLES : [subject.role]) {
        const denied = await ask.denied(needsOf(role, subject.uses, at, deployment))
        if (denied.kind === 'unseen') return unseen(NAME, denied.why)
        lacks.set(role, denied.value)
      }
      return judge(user, lacks)
    } finally {
      await ask.close()
    }
  },
}

function judge(user: string, lacks: ReadonlyMap<Role, readonly Need[]>): Finding {
  const isMet = (needs: readonly Need[]): boolean => needs.every(({ without }) => without !== undefined)
  const able = [...lacks].filter(([, needs]) => isMet(needs))
  const unable = [...lacks].filter(([, needs]) => !isMet(needs))
  if (able.length === 0) {
    // The role that lacks least is likely to be the one that was meant.
    const [role, needs] = unable.toSorted(([, a], [, b]) => a.length - b.length)[0] ?? ['producer', []]
    const found = `user ${user} cannot be a ${role}: it may not ${describe(needs)}`
    return fault(NAME, found, 'allow it by ACL SETUSER; docs/acl.md has the rules for each role')
  }
  const roles = able.map(([role]) => role).join(', ')
  const others = unable.map(([role, needs]) => `; not for ${role}: ${describe(needs)}`).join('')
  const found = `user ${user} has all for ${roles}${others}`
  const [worse] = able.flatMap(([, needs]) => needs)
  if (worse === undefined) return ok(NAME, found)
  return warning(NAME, `${found}, but for ${worse.command}`, `allow it, else ${worse.without}`)
}

/** Each command once; with a key where the same command is allowed on others. */
function describe(needs: readonly Need[]): string {
  const texts = needs.map(({ command, keys = [], channels = [] }) => {
    const [first] = [...keys, ...channels]
    return first === undefined ? command : `${command} ${printable(first)}`
  })
  const unique = [...new Set(texts)]
  const shown = unique.slice(0, 5).join(', ')
  return unique.length > 5 ? `${shown} and ${unique.length - 5} more` : shown
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

type Denied =
  | { readonly kind: 'seen'; readonly value: readonly Need[] }
  | { readonly kind: 'unseen'; readonly why: string }

function createAsking({ servers, connection }: Subject): {
  denied(needs: readonly Need[]): Promise<Denied>
  close(): Promise<void>
} {
  const isAllowed = new Map<string, boolean>()
  // A connection that has subscribed can do nothing else.
  const subscriber = openRedis(connection, 'doctor')

  const subscribing = async (need: Need): Promise<boolean> => {
    await ready(subscriber)
    const [command = '', ...args] = callOf(need)
    try {
      await (command === 'SUBSCRIBE' ? subscriber.subscribe(...args) : subscriber.unsubscribe(...args))
      return true
    } catch (error) {
      return !isDenial(error)
    }
  }

  return {
    async denied(needs) {
      const [view] = servers
      if (view === undefined) return { kind: 'unseen', why: 'there is no server' }
      const { client } = view
      const open = needs.filter((need) => !isAllowed.has(callOf(need).join('\0')))
      const opened = await observe('MULTI', () => client.call('MULTI'))
      if (opened.kind === 'unseen') return opened
      const queued = open.filter(({ command }) => !command.endsWith('SUBSCRIBE'))
      const answers = queued.map(async (need) => {
        const [command = '', ...args] = callOf(need)
        const refused = await client.call(command, ...args).then(() => false, isDenial)
        isAllowed.set(callOf(need).join('\0'), !refused)
      })
      const discarded = observe('DISCARD', () => client.call('DISCARD'))
      await Promise.all(answers)
      if ((await discarded).kind === 'unseen') client.disconnect(true)
      for (const need of open.filter(({ command }) => command.endsWith('SUBSCRIBE'))) {
        isAllowed.set(callOf(need).join('\0'), await subscribing(need))
      }
      return { kind: 'seen', value: needs.filter((need) => isAllowed.get(callOf(need).join('\0')) === false) }
    },
    close: () => closeRedis(subscriber),
  }
}

/** Refused for who asks, or not there; all else that a server may answer here says that it would be allowed. */
function isDenial(error: unknown): boolean {
  if (isReply(error, 'NOPERM')) return true
  return (
    error instanceof Error && error.name === 'ReplyError' && /unknown (?:sub)?command/i.test(error.message)
  )
}
