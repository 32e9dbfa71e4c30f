import type { Clock } from '../../clock.js'
import type { Continuation } from '../continuation.js'
import type { Delivery } from '../../broker/broker.js'
import type { HeldMessages } from '../held-messages.js'
import type { Log } from '../../log.js'
import type { Monitors } from '../monitors.js'
import type { Observer } from '../observer.js'
import type { Outcome } from '../outcome.js'
import type { Refusals } from '../refusals.js'
import type { Request } from '../request.js'
import type { Settings } from '../../app/settings.js'
import type { Tally } from '../tally.js'

/**
 * Do what the end of a task asks for: send what follows it, store its result, and settle its message.
 *
 * @param delivery - What to settle; undefined where it was acknowledged before the task ran.
 * @param startedAt - By {@link Clock.passedMs}.
 * @returns a promise only where something has to be waited for that holds the task's slot.
 */
export type Conclusion<Ended> = (
  request: Request,
  delivery: Delivery | undefined,
  ended: Ended,
  startedAt: number,
) => void | Promise<void>

export type OutcomeOf<Kind extends Outcome['kind']> = Extract<Outcome, { kind: Kind }>

/** What all conclusions work with. */
export interface ConclusionParts {
  readonly settings: Settings
  readonly hostname: string
  readonly messages: HeldMessages
  readonly refusals: Refusals
  readonly continuation: Continuation
  readonly observer: Observer
  readonly monitors: Monitors
  readonly clock: Clock
  readonly log: Log
  readonly tally: Tally
}
