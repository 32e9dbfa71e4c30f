import { createReceiver, type ReceiverParts } from '../../events/receiver.js'
import { isAlive, newWorkerState, withWorkerEvent, type WorkerState } from '../../events/worker-state.js'
import type { CeleryEvent } from '../../events/event.js'

/**
 * Celery's gossip, as far as it tells of the other workers: who joins, leaves, and is lost (wire protocol, section 16.2).
 * Elections are not held: docs/compatibility.md says why.
 */
export interface Gossip {
  /** Resolves when it hears the others, or is not let. */
  readonly established: Promise<void>
  stop(): Promise<void>
}

export interface GossipParts extends ReceiverParts {
  readonly hostname: string
  /** Milliseconds between two looks at who is lost. @default 5000, Celery's */
  readonly lookEveryMs?: number
}

const LOOK_EVERY_MS = 5000

/** @see Celery 5.6, `worker/consumer/gossip.py` */
export function startGossip(parts: GossipParts): Gossip {
  const { hostname, log } = parts
  const others = new Map<string, WorkerState>()

  const follow = (event: CeleryEvent): void => {
    const { hostname: node, type } = event
    if (node === hostname) return
    const known = others.get(node)
    if (type === 'worker-offline') {
      if (others.delete(node)) log.info({ node }, `${node} left`)
      return
    }
    if (known === undefined) log.info({ node }, `${node} joined the party`)
    others.set(node, withWorkerEvent(known ?? newWorkerState(node), event))
  }

  const look = (): void => {
    for (const [node, worker] of others) {
      if (isAlive(worker, Date.now() / 1000)) continue
      others.delete(node)
      log.info({ node }, `missed heartbeat from ${node}`)
    }
  }

  const receiver = createReceiver(parts, { '*': follow }, { routingKey: 'worker.#' })
  const looking = setInterval(look, parts.lookEveryMs ?? LOOK_EVERY_MS)
  return {
    established: receiver.start().catch((error: unknown) => {
      log.warn({ err: error }, 'cannot hear other workers: no gossip')
    }),
    async stop() {
      clearInterval(looking)
      await receiver.stop()
    },
  }
}
