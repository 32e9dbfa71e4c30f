import { fault, ok, unseen, warning, type Finding } from '../finding.js'
import { observe } from '../observe.js'
import type { Facts, ServerView } from '../server-view.js'
import type { ServerCheck, SubjectCheck } from '../subject.js'

const OLDEST = [6, 2] as const

export const serverKind: ServerCheck = {
  name: 'server',
  async look(view, subject) {
    const { mode, role, version, product } = describeServer(view)
    if (version === undefined) {
      const why = view.info.kind === 'unseen' ? view.info.why : 'INFO tells no version'
      return unseen('server', `${why}, and HELLO tells nothing`)
    }
    const found = [`${product} ${version}`, mode, role].filter((part) => part !== undefined).join(', ')
    if (mode === 'cluster' && role !== 'replica' && subject.endpoint.kind !== 'cluster') {
      return judgeEntrance(view, found)
    }
    return judge(found, { mode, role, version })
  },
}

interface Kind {
  readonly mode: string | undefined
  readonly role: string | undefined
  readonly version: string | undefined
}

function judge(found: string, { mode, role, version = '' }: Kind): Finding {
  if (mode === 'sentinel') {
    return fault('server', found, 'this is a sentinel: use sentinel:// and the name of the primary')
  }
  if (role === 'replica') {
    return fault('server', found, 'a replica takes no writes: name the primary, or use sentinel://')
  }
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    return fault('server', found, `use version ${OLDEST.join('.')} or newer`)
  }
  return ok('server', found)
}

/** A cluster by the URL of a single server does where that one has all slots, as managed ones with one endpoint do. */
async function judgeEntrance({ client }: ServerView, found: string): Promise<Finding> {
  const advice = 'use redis+cluster://: keys of other servers cannot be reached'
  const reply = await observe('CLUSTER SLOTS', () => client.call('CLUSTER', 'SLOTS'))
  if (reply.kind === 'unseen') return warning('server', `${found}; ${reply.why}`, advice)
  const primaries = new Set((reply.value as unknown[][]).map(([, , primary]) => JSON.stringify(primary)))
  if (primaries.size < 2) return ok('server', `${found}, the only one`)
  return fault('server', `${found}, one of ${primaries.size} that share the keys`, advice)
}

function describeServer({ info, hello, address }: ServerView): Kind & { readonly product: string } {
  const facts: Facts = info.kind === 'seen' ? info.value : new Map()
  const valkey = facts.get('valkey_version')
  const isAmazon =
    (facts.get('os') ?? '').includes('ElastiCache') || /\.cache\.amazonaws\.com:\d+$/i.test(address)
  const name = valkey !== undefined || hello.get('server') === 'valkey' ? 'Valkey' : 'Redis'
  return {
    product: isAmazon ? `${name} on ElastiCache` : name,
    version: valkey ?? facts.get('redis_version') ?? hello.get('version'),
    mode: facts.get('redis_mode') ?? hello.get('mode'),
    role: nameRole(facts.get('role') ?? hello.get('role')),
  }
}

export function isReplica(view: ServerView): boolean {
  return describeServer(view).role === 'replica'
}

function nameRole(role: string | undefined): string | undefined {
  if (role === 'master') return 'primary'
  return role === 'slave' ? 'replica' : role
}

/** On a cluster a script may touch one slot only, so all of the broker's keys have to be in one. */
export const hashTag: SubjectCheck = {
  name: 'hash-tag',
  look({ servers, endpoint, settings, uses }) {
    const isCluster =
      endpoint.kind === 'cluster' || servers.some((view) => describeServer(view).mode === 'cluster')
    if (!isCluster || !uses.includes('broker')) return ok('hash-tag', 'not needed: this is no cluster')
    const { globalKeyprefix } = settings.brokerTransportOptions
    const found = `globalKeyprefix is ${JSON.stringify(globalKeyprefix)}`
    if (/\{[^}]+\}/.test(globalKeyprefix)) return ok('hash-tag', found)
    const advice = 'set REDIS_KEY_PREFIX to something in braces, such as {shop}: (Python: global_keyprefix)'
    return fault('hash-tag', `${found}: keys of one step are in several slots`, advice)
  },
}
