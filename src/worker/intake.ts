import { LovageError } from '../errors.js'
import { parseEnvelope } from '../serialization/envelope.js'
import { isSigned } from '../serialization/message-signature.js'
import { readEarlierDeliveries, type EarlierDeliveries } from '../serialization/earlier-deliveries.js'
import { resolveAcceptContent } from '../serialization/serializers.js'
import { decodeTaskMessage, type TaskMessage } from '../serialization/task-message.js'
import { beginningOf, refuseRedelivery } from './redelivery.js'
import { decide } from './strategy.js'
import { hasCanvas, withReadCanvas } from './follow-up.js'
import type { Clock } from '../clock.js'
import type { DeadLetterReason, Delivery } from '../broker/broker.js'
import type { HeldMessages } from './held-messages.js'
import type { Log } from '../log.js'
import type { Monitors } from './monitors.js'
import type { Refusals } from './refusals.js'
import type { Request } from './request.js'
import type { RegisteredTask, TaskLookup } from '../app/registered-task.js'
import type { Settings } from '../app/settings.js'
import type { Beginning } from './waiting-room.js'

/** Take a delivery in: read it, decide what to do with it, and see to that; what is to run goes on. */
export type Intake = (delivery: Delivery) => void

export interface IntakeParts {
  readonly settings: Settings
  readonly tasks: TaskLookup
  readonly messages: HeldMessages
  readonly refusals: Refusals
  readonly isRevoked: (message: TaskMessage) => boolean
  /** Into the waiting room, as soon as limits allow it. */
  readonly enter: (request: Request, beginning: Beginning) => void
  readonly monitors: Monitors
  readonly clock: Clock
  readonly log: Log
}

interface ReadDelivery {
  readonly message: TaskMessage
  readonly earlier: EarlierDeliveries
}

export function createIntake(parts: IntakeParts): Intake {
  const { settings, tasks, messages, refusals, isRevoked, enter, monitors, clock, log } = parts
  const { messageSigner } = settings
  const acceptContent = resolveAcceptContent(settings.acceptContent, settings.auth)

  const read = (text: string): ReadDelivery => {
    const envelope = parseEnvelope(text)
    if (messageSigner !== undefined && (!settings.acceptUnsignedMessages || isSigned(envelope)))
      messageSigner.verify(envelope)
    const earlier = readEarlierDeliveries(envelope)
    return { message: decodeTaskMessage(envelope, { acceptContent }), earlier }
  }

  const admit = (delivery: Delivery, task: RegisteredTask, { message, earlier }: ReadDelivery): void => {
    const request = { delivery, message, task }
    // Of what was parked that was told before.
    if (!delivery.isDue) monitors.current?.received(message)
    const refusal = refuseRedelivery(earlier, task, settings)
    if (refusal !== undefined) {
      void refusals.giveUp(request, refusal)
      return
    }
    enter(request, beginningOf(earlier, task, settings))
  }

  return (delivery) => {
    messages.take(delivery)
    let found: ReadDelivery
    try {
      found = read(delivery.envelope)
    } catch (error) {
      if (!(error instanceof LovageError)) log.error({ err: error }, 'a message could not be decoded')
      messages.bury(delivery, reasonOf(error))
      return
    }
    if (hasCanvas(found.message)) {
      try {
        found = { ...found, message: withReadCanvas(found.message) }
      } catch (error) {
        refusals.refuseCanvas(found.message, delivery, error as LovageError)
        return
      }
    }
    const { message } = found
    const decision = decide(message, { tasks, now: clock.now(), isRevoked, isDue: delivery.isDue })
    switch (decision.kind) {
      case 'execute':
        admit(delivery, decision.task, found)
        return
      case 'park':
        monitors.current?.received(message)
        messages.park(delivery, decision.until)
        return
      case 'expire':
        refusals.expire(message, delivery)
        return
      case 'revoke':
        refusals.revoke(message, delivery, 'revoked')
        return
      case 'refuse':
        refusals.refuseUnknown(message, delivery, reasonOf(decision.error))
    }
  }
}

function reasonOf(error: unknown): DeadLetterReason {
  if (error instanceof LovageError) return { code: error.code, message: error.message }
  return { code: 'UNREADABLE', message: error instanceof Error ? error.message : String(error) }
}
