import { createControl, type Control } from '../control/control.js'
import { createMailbox, type Mailbox } from '../control/mailbox.js'
import type { Broker } from '../broker/broker.js'
import type { Log } from '../log.js'
import type { LogicalClock } from '../logical-clock.js'
import type { Settings } from './settings.js'

export interface AppControlParts {
  readonly settings: Settings
  readonly broker: Broker
  readonly logicalClock: LogicalClock
  readonly log: Log
}

/** A caller's side of remote control with an app's settings. */
export function appMailbox({ settings, broker, logicalClock, log }: AppControlParts): Mailbox {
  const { controlExchange, messageSigner: signer, acceptUnsignedMessages: acceptsUnsigned } = settings
  return createMailbox({ broker, controlExchange, signer, acceptsUnsigned, logicalClock, log })
}

export function appControl(parts: AppControlParts): Control {
  const { settings, broker } = parts
  const limits = { most: settings.workerRevokesMax, expiresMs: settings.workerRevokeExpires * 1000 }
  return createControl({
    mailbox: appMailbox(parts),
    async keepRevoked(items) {
      const at = Date.now()
      await broker.revocations.keep(
        items.map((item) => ({ item, at })),
        limits,
      )
    },
    workers: () => broker.workers(),
    async purge(queues = settings.taskQueues ?? [settings.taskDefaultQueue]) {
      const counts = await Promise.all(queues.map((queue) => broker.purge(queue)))
      return counts.reduce((sum, count) => sum + count, 0)
    },
  })
}
