import { fault, ok, unseen, warning, count } from '../finding.js'
import type { Facts } from '../server-view.js'
import type { ServerCheck } from '../subject.js'

const NAME = 'replication'
const SLOW_SECONDS = 10
const FAR_BEHIND_BYTES = 16 * 1024 ** 2

export const replication: ServerCheck = {
  name: NAME,
  look({ info }) {
    if (info.kind === 'unseen') return unseen(NAME, info.why)
    const facts = info.value
    if (facts.get('role') === 'slave') {
      if (facts.get('master_link_status') === 'up') return ok(NAME, 'this replica follows its primary')
      return fault(NAME, 'this replica has lost its primary', 'look at the primary and the way to it')
    }
    const replicas = replicasOf(facts)
    if (replicas.length === 0) return ok(NAME, 'no replicas')
    const late = replicas.filter(({ isOnline, lagSeconds, bytesBehind }) => {
      return !isOnline || lagSeconds > SLOW_SECONDS || bytesBehind > FAR_BEHIND_BYTES
    })
    const worst = Math.max(...replicas.map(({ lagSeconds }) => lagSeconds))
    const behind = Math.max(...replicas.map(({ bytesBehind }) => bytesBehind))
    const found = `${count(replicas.length, 'replica')}, at most ${worst} s and ${behind} bytes behind`
    if (late.length === 0) return ok(NAME, found)
    const advice = 'look at their machines: what a replica has not got is lost with the primary'
    return warning(NAME, `${found}; ${late.length} not online or late`, advice)
  },
}

interface Replica {
  readonly isOnline: boolean
  readonly lagSeconds: number
  readonly bytesBehind: number
}

/** Of lines such as `slave0:ip=10.0.0.2,port=6379,state=online,offset=1288,lag=1`. */
function replicasOf(facts: Facts): Replica[] {
  const written = Number(facts.get('master_repl_offset') ?? 0)
  return [...facts]
    .filter(([name]) => /^slave\d+$/.test(name))
    .map(([, text]) => {
      const parts = new Map(text.split(',').map((part) => part.split('=', 2) as [string, string]))
      return {
        isOnline: parts.get('state') === 'online',
        lagSeconds: Number(parts.get('lag') ?? 0),
        bytesBehind: Math.max(0, written - Number(parts.get('offset') ?? written)),
      }
    })
}
