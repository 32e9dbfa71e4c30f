import { randomUUID } from 'node:crypto'
import type { Replies } from './replies.js'

/** Queues for replies within one process. */
export function createMemoryReplies(): Replies {
  const receivers = new Map<string, (envelope: string) => void>()
  return {
    send({ routingKey }, envelope) {
      const receiver = receivers.get(routingKey)
      setImmediate(() => receiver?.(envelope))
      return Promise.resolve(receiver !== undefined)
    },
    receive(exchange, onReply) {
      const routingKey = randomUUID()
      receivers.set(routingKey, onReply)
      const close = (): Promise<void> => {
        receivers.delete(routingKey)
        return Promise.resolve()
      }
      return Promise.resolve({ address: { exchange, routingKey }, close })
    },
  }
}
