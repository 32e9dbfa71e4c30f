import { availableParallelism } from 'node:os'
import type { PoolKind } from './worker-options.js'

/** Celery's pools, and what they are here. */
export const POOL_KINDS = {
  async: 'async',
  gevent: 'async',
  eventlet: 'async',
  solo: 'solo',
  threads: 'threads',
  processes: 'processes',
  prefork: 'processes',
} as const satisfies Readonly<Record<string, PoolKind>>

export const POOL_NAMES = Object.keys(POOL_KINDS) as (keyof typeof POOL_KINDS)[]

/** Undefined for what is no pool's name. */
export function poolKind(name: string): PoolKind | undefined {
  return Object.entries(POOL_KINDS).find(([each]) => each === name)?.[1]
}

/** Tasks that wait for others take little; those in children are there to compute. */
const EVENT_LOOP_SLOTS = 100

/** How many tasks run at once where nobody says. */
export function defaultConcurrency(kind: PoolKind): number {
  if (kind === 'solo') return 1
  return kind === 'async' ? EVENT_LOOP_SLOTS : availableParallelism()
}
