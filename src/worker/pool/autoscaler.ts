import { InvalidArgumentError } from '../../errors.js'
import type { Autoscale } from '../../app/worker-options.js'
import type { Log } from '../../log.js'
import type { Pool } from './pool.js'

/**
 * Gives a pool as many slots as there is work for, between two numbers: at once where there is more, and when it has
 * not grown for a while where there is less.
 *
 * @see Celery 5.6, `worker/autoscale.py`: `Autoscaler`
 */
export interface Autoscaler {
  readonly max: number
  readonly min: number
  /** There may be more work than before. */
  look(this: void): void
  /** Change the limits; what is left out stays. @throws InvalidArgumentError where min is above max. */
  update(this: void, limits: { readonly max?: number; readonly min?: number }): void
  /** Look at the work from now on. */
  start(): void
  stop(): void
}

export interface AutoscalerParts {
  readonly pool: Pool
  readonly limits: Autoscale
  /** How many tasks there are to run, those that run included. */
  readonly demand: () => number
  /** Milliseconds that never go backwards. */
  readonly now: () => number
  readonly log: Log
}

const KEEP_ALIVE_MS = 30_000
const LOOK_EVERY_MS = 1000

export function createAutoscaler({ pool, limits, demand, now, log }: AutoscalerParts): Autoscaler {
  const { keepAliveMs = KEEP_ALIVE_MS } = limits
  let { max, min } = readAutoscale(limits)
  const { resize } = pool
  if (resize === undefined)
    throw new InvalidArgumentError(`autoscale: a pool of the kind ${pool.kind} has a fixed size`)
  let grownAt = now()
  let changing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  const change = (slots: number): void => {
    const from = pool.slots.concurrency
    log.info({ from, to: slots }, `scaling ${slots > from ? 'up' : 'down'} to ${slots}`)
    changing = resize(slots)
      .catch((error: unknown) => {
        if (timer !== undefined) log.error({ err: error }, 'could not scale the pool')
      })
      .finally(() => (changing = undefined))
  }

  const look = (): void => {
    if (timer === undefined || changing !== undefined) return
    const slots = pool.slots.concurrency
    const wanted = Math.max(min, Math.min(max, demand()))
    if (wanted > slots) {
      grownAt = now()
      change(wanted)
    } else if (wanted < slots && (slots > max || now() - grownAt >= keepAliveMs)) change(wanted)
  }

  return {
    get max() {
      return max
    },
    get min() {
      return min
    },
    look,
    update(changed) {
      ;({ max, min } = readAutoscale({ max, min, ...changed }))
      look()
    },
    start() {
      timer = setInterval(look, LOOK_EVERY_MS)
      look()
    },
    stop() {
      clearInterval(timer)
      timer = undefined
    },
  }
}

/** @throws InvalidArgumentError */
export function readAutoscale({ max, min = 0 }: Autoscale): { readonly max: number; readonly min: number } {
  const isValid = Number.isInteger(max) && Number.isInteger(min) && max >= 1 && min >= 0 && min <= max
  if (isValid) return { max, min }
  throw new InvalidArgumentError(
    `autoscale: expected integers, max 1 or more and min from 0 to max, got max ${max} and min ${min}`,
  )
}
