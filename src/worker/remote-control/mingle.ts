import { readRevoked, tellRevoked } from './inspect-commands.js'
import { isPlainRecord } from '../../serialization/plain-record.js'
import type { Log } from '../../log.js'
import type { LogicalClock } from '../../logical-clock.js'
import type { Mailbox } from '../../control/mailbox.js'
import type { Revocation } from '../revocation/revocation.js'

export interface MingleParts {
  readonly hostname: string
  readonly mailbox: Mailbox
  readonly revocation: Revocation
  readonly logicalClock: LogicalClock
  readonly log: Log
}

const TIMEOUT_MS = 1000

/**
 * Say hello to the other workers, those of Python as well, and learn what they know to be revoked (wire protocol, section
 * 16.1). It takes a second where one of them does not answer, and moments else.
 */
export async function mingle({
  hostname,
  mailbox,
  revocation,
  logicalClock,
  log,
}: MingleParts): Promise<void> {
  try {
    const args = { from_node: hostname, revoked: tellRevoked(revocation.entries()) }
    const replies = await mailbox.call({ method: 'hello', arguments: args }, { timeoutMs: TIMEOUT_MS })
    const others = [...replies].filter(([node, reply]) => node !== hostname && isPlainRecord(reply))
    for (const [, reply] of others as [string, Record<string, unknown>][]) {
      revocation.takeOver(readRevoked(reply['revoked']))
      if (Number.isSafeInteger(reply['clock'])) logicalClock.adjust(reply['clock'] as number)
    }
    if (others.length > 0) log.info({ nodes: others.map(([node]) => node) }, 'mingled with other workers')
  } catch (error) {
    log.warn({ err: error }, 'could not say hello to other workers')
  }
}
