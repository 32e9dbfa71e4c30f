import { count, fault, ok, unseen, warning } from '../finding.js'
import { factOrConfig } from '../server-view.js'
import { usageCheck } from './usage.js'
import type { ServerCheck } from '../subject.js'

const POLICY = 'maxmemory-policy'

export const evictionPolicy: ServerCheck = {
  name: POLICY,
  async look(view, { uses }) {
    const policy = await factOrConfig(view, 'maxmemory_policy', POLICY)
    if (policy.kind === 'unseen') return unseen(POLICY, policy.why)
    if (policy.value.startsWith('allkeys-')) {
      return uses.includes('broker')
        ? fault(POLICY, `${policy.value}: it can evict queues`, 'set it to noeviction, or to volatile-lru')
        : warning(
            POLICY,
            `${policy.value}: it can evict results that are waited for`,
            'set it to volatile-lru',
          )
    }
    if (policy.value === 'noeviction' || policy.value === 'volatile-lru') return ok(POLICY, policy.value)
    const found = `${policy.value}: it may evict results and the lease of beat before old results`
    return warning(POLICY, found, 'set it to noeviction, or to volatile-lru')
  },
}

export const memory = usageCheck({
  name: 'memory',
  used: 'used_memory',
  limit: 'maxmemory',
  show: (used) => `${inMegabytes(used)} used`,
  showShare: (used, most) =>
    `${inMegabytes(used)} of ${inMegabytes(most)} used (${Math.round((used / most) * 100)} %)`,
  advice: 'raise maxmemory, keep results for less time (resultExpires), or work off the queues',
})

export const evictions: ServerCheck = {
  name: 'evicted-keys',
  look({ info }) {
    if (info.kind === 'unseen') return unseen('evicted-keys', info.why)
    const evicted = Number(info.value.get('evicted_keys') ?? 0)
    if (evicted === 0) return ok('evicted-keys', 'none')
    const found = `${count(evicted, 'key')} evicted since its start`
    return warning('evicted-keys', found, 'give it more memory; results that are evicted are never seen')
  },
}

function inMegabytes(bytes: number): string {
  const megabytes = bytes / 1024 ** 2
  return megabytes < 10 ? `${megabytes.toFixed(1)} MiB` : `${Math.round(megabytes)} MiB`
}
