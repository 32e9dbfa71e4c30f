import { beingControlled, controlling, gossiping, telling, watching } from './needs/fanout.js'
import { coordinating, scheduling, sending, sendingUnique, working } from './needs/queues.js'
import { counting, examining, finding, measuring, operating } from './needs/operating.js'
import { awaiting, countingParts, grouping, storing } from './needs/results.js'
import { each, type Deployment, type Need } from './needs/need.js'
import type { Places } from './places.js'
import type { Use } from './subject.js'

/**
 * Which commands each process runs on which keys and channels: what the doctor asks leave for, and what the
 * documented ACL users are made of. A test holds the scripts' commands against it.
 */
export const ROLES = ['producer', 'worker', 'beat', 'api', 'operator'] as const
/** An operator is a person with the command or the library: purges queues, retries and drops dead letters. */
export type Role = (typeof ROLES)[number]

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
      needs.push(
        ...working(at),
        ...coordinating(at),
        ...beingControlled(at),
        ...controlling(at),
        ...gossiping(at),
      )
    if (role === 'worker' || role === 'api') needs.push(...measuring(at))
    if (role === 'beat') needs.push(...scheduling(at))
    if (role === 'api' || role === 'operator') needs.push(...counting(at), ...controlling(at), ...finding(at))
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
