import { persist, type Persistence } from './persist.js'
import type { Consumer, DeadLetterReason, Delivery } from '../broker/broker.js'
import type { LossCause } from '../serialization/earlier-deliveries.js'
import type { PendingPart } from './ending.js'
import type { Request } from './request.js'
import type { Settings } from '../app/settings.js'
import type { Settler } from './settle.js'
import type { StoredResult } from '../results/result-backend.js'
import type { Tally } from './tally.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** How many messages this worker has in hand. */
export interface Load {
  /** Messages that count for the prefetch: claimed and not yet done with. */
  readonly held: number
  /** The same, and tasks that run although their message is acknowledged. */
  readonly unfinished: number
  /** Length of the messages that are claimed and not acknowledged yet. */
  readonly heldBytes: number
  /** How many tasks ended since the start. */
  readonly ended: number
  /** Call `listener` whenever fewer are held than before. */
  onRoom(this: void, listener: () => void): void
}

/**
 * The messages in this worker's hands: how many there are, and each of the ways by which one leaves them.
 *
 * Where Redis is away, leaving is tried until it succeeds, and the message counts as held meanwhile.
 */
export interface HeldMessages extends Load {
  /** One was claimed. */
  take(delivery: Delivery): void
  /** One turned out to be another's. */
  letGo(this: void, delivery: Delivery): void
  /** One waits for a limit and counts no more for the prefetch, until it is taken back. */
  setAside(this: void): void
  takeBack(this: void): void
  /**
   * Store results, if there are any, tell chords of their parts, and acknowledge the message, if `delivery` says that
   * this is still to be done.
   *
   * @param onRecorded - Called when all of that is done.
   */
  settle(
    message: TaskMessage,
    delivery: Delivery | undefined,
    results?: readonly StoredResult[],
    parts?: readonly PendingPart[],
    onRecorded?: () => void,
  ): void
  /** Store a state in which the message stays held. */
  note(request: Request, result: StoredResult): void
  /** Resolves when the results, and all that was to be stored before them, are; the message is not touched. */
  recorded(request: Request, results: readonly StoredResult[], parts?: readonly PendingPart[]): Promise<void>
  /** Before its task runs. Then it is held no more, but unfinished until {@link endAcknowledged}. */
  acknowledge(delivery: Delivery): Promise<void>
  endAcknowledged(): void
  park(delivery: Delivery, until: Date): void
  requeue(delivery: Delivery): void
  /** What ran it died: it is to run again. */
  putBackLost(delivery: Delivery, cause: LossCause): void
  bury(delivery: Delivery, reason: DeadLetterReason, taskId?: string): void
  /** Others may have a slot for what waits for one here. */
  handBack(deliveries: readonly Delivery[]): Promise<void>
  /** Hand back at the stop what has not begun: tried once, and they count no more. */
  release(deliveries: readonly Delivery[]): Promise<void>
  /** The same with what runs. */
  releaseBegun(deliveries: readonly Delivery[]): Promise<void>
}

export interface HeldMessagesParts {
  readonly settings: Settings
  readonly consumer: Consumer
  readonly settler: Settler
  readonly persistence: Persistence
  readonly tally: Tally
}

/**
 * So many outcomes may be on their way to Redis without holding up the next claim: the event loop works on while
 * Redis writes. More of them say that Redis is slower than the tasks, and then claiming waits.
 */
const MOST_SETTLING = 1000

export function createHeldMessages(parts: HeldMessagesParts): HeldMessages {
  const { settings, consumer, settler, persistence, tally } = parts
  const { log } = persistence
  const sharesMemory = isSameServer(settings.broker, settings.backend)
  /** Claimed, and its outcome not known yet. */
  let claimed = 0
  /** The outcome is known and being recorded. */
  let settling = 0
  let acknowledgedRunning = 0
  let heldBytes = 0
  let ended = 0
  let onRoom: (() => void) | undefined

  const held = (): number => claimed + Math.max(0, settling - MOST_SETTLING)
  /** Their text is kept no more. */
  const drop = (deliveries: readonly Delivery[]): void => {
    for (const { envelope } of deliveries) heldBytes -= envelope.length
    onRoom?.()
  }
  const letGo = (delivery: Delivery): void => {
    claimed--
    drop([delivery])
  }
  /** What recording a state of this message's task frees at last. */
  const frees = (delivery: Delivery): number => (sharesMemory ? delivery.envelope.length : 0)
  /** Do what cannot be batched. */
  const handOver = async (
    what: string,
    deliveries: readonly Delivery[],
    action: () => Promise<void>,
  ): Promise<void> => {
    const done = await persist(`${what} a message`, action, persistence)
    if (done === undefined) return
    claimed -= deliveries.length
    drop(deliveries)
  }
  const once = async (deliveries: readonly Delivery[], action: () => Promise<void>): Promise<void> => {
    if (deliveries.length === 0) return
    try {
      await action()
    } catch (error) {
      // They stay in unacked: whoever notices that this lease has run out puts them back.
      log.error({ err: error, count: deliveries.length }, 'could not hand messages back at the stop')
    }
  }

  return {
    get held() {
      return held()
    },
    get unfinished() {
      return held() + acknowledgedRunning
    },
    get heldBytes() {
      return heldBytes
    },
    get ended() {
      return ended
    },
    onRoom(listener) {
      onRoom = listener
    },
    take({ envelope }) {
      claimed++
      heldBytes += envelope.length
    },
    letGo,
    setAside() {
      claimed--
      onRoom?.()
    },
    takeBack() {
      claimed++
    },
    settle(message, delivery, results = [], chordParts, onRecorded) {
      if (delivery === undefined) {
        if (results.length > 0 || chordParts !== undefined)
          settler.add({ results, parts: chordParts, message, onSettled: onRecorded })
        else onRecorded?.()
        return
      }
      const onSettled = (): void => {
        settling--
        drop([delivery])
        onRecorded?.()
      }
      settling++
      settler.add({ results, parts: chordParts, message, frees: frees(delivery), ack: delivery, onSettled })
      ended++
      claimed--
      onRoom?.()
    },
    note({ message, delivery }, result) {
      settler.add({ results: [result], message, frees: frees(delivery) })
    },
    recorded: ({ message, delivery }, results, chordParts) =>
      new Promise((resolve) => {
        settler.add({ results, parts: chordParts, message, frees: frees(delivery), onSettled: resolve })
      }),
    async acknowledge(delivery) {
      await new Promise<void>((resolve) => settler.add({ ack: delivery, onSettled: resolve }))
      acknowledgedRunning++
      letGo(delivery)
    },
    endAcknowledged() {
      acknowledgedRunning--
      ended++
      onRoom?.()
    },
    park: (delivery, until) => void handOver('park', [delivery], () => consumer.park(delivery, until)),
    requeue: (delivery) => void handOver('requeue', [delivery], () => consumer.requeue(delivery)),
    putBackLost: (delivery, cause) =>
      void handOver('put back', [delivery], () => consumer.releaseLost(delivery, cause)),
    bury(delivery, reason, taskId) {
      tally.deadLettered++
      log.error({ taskId, queue: delivery.queue, code: reason.code }, `message refused: ${reason.message}`)
      void handOver('bury', [delivery], () => consumer.bury(delivery, reason))
    },
    async handBack(deliveries) {
      if (deliveries.length === 0) return
      await handOver('hand back', deliveries, () => consumer.release(deliveries))
    },
    release: (deliveries) => once(deliveries, () => consumer.release(deliveries)),
    releaseBegun: (deliveries) => once(deliveries, () => consumer.releaseBegun(deliveries)),
  }
}

/** Whether two URLs lead to the same server; in doubt they do not. */
function isSameServer(one: string, other: string | undefined): boolean {
  const withoutDatabase = (url: string): string => url.replace(/^([^:]*:\/\/[^/?]+)\/\d*$/, '$1')
  return other !== undefined && withoutDatabase(one) === withoutDatabase(other)
}
