import { randomUUID } from 'node:crypto'
import { planCall, type PlannedTask } from '../canvas/plan.js'
import { tupleOf } from '../canvas/result-tree.js'
import { readSendOptions } from './read-send-options.js'
import type { PartialCall } from '../canvas/signature-types.js'
import type { ResultBackend } from '../results/result-backend.js'
import type { ResultNode } from '../canvas/freeze.js'
import type { ErrbackReach } from '../canvas/links.js'
import type { SendOptions, SendTask } from './send-task.js'
import type { Settings } from './settings.js'

/** So many messages are encoded and pushed at once, so that a large group neither fills the memory nor the outbox. */
const MOST_AT_ONCE = 1000

export interface CanvasParts {
  readonly send: SendTask
  readonly settings: Settings
  readonly backend: ResultBackend
  /** Names this app as a receiver of replies. */
  readonly replyTo: string
}

/** A canvas with its ids, ready to be sent. */
export interface PreparedCanvas {
  readonly result: ResultNode
  /**
   * Resolves when all messages are in their queues. Called again after it has failed, it sends what is left.
   *
   * @throws what {@link SendTask} throws; part of it may then have been sent.
   */
  send(): Promise<void>
}

/**
 * @param data - a signature in any of its shapes.
 * @param extra - options for each of its messages, such as the ids of a parent.
 * @throws InvalidSignatureError where it cannot be sent as it is.
 */
export type PrepareCanvas = (data: unknown, call: PartialCall, extra?: SendOptions) => PreparedCanvas

export function createPrepareCanvas({ send, settings, backend, replyTo }: CanvasParts): PrepareCanvas {
  const sendOne = ({ task, args, kwargs, options }: PlannedTask, extra: SendOptions): Promise<unknown> =>
    send(task, args, kwargs, { ...readSendOptions(options), ...extra, unique: false })

  return (data, call, extra = {}) => {
    const freezer = { newId: randomUUID, replyTo, errbackReach: errbackReach(settings) }
    const plan = planCall(data, call, freezer)
    let isAnnounced = false
    let left = plan.tasks

    /** Before any message, and so before the last one of each header. */
    const announce = async (): Promise<void> => {
      for (const header of plan.headers) await backend.saveGroup(header.id, tupleOf(header))
      await Promise.all(plan.chords.map(({ groupId, size }) => backend.chords.start(groupId, size)))
      isAnnounced = true
    }

    const sendSome = async (): Promise<void> => {
      const some = left.slice(0, MOST_AT_ONCE)
      const outcomes = await Promise.allSettled(some.map((task) => sendOne(task, extra)))
      const unsent = some.filter((_, i) => outcomes[i]?.status === 'rejected')
      left = [...unsent, ...left.slice(MOST_AT_ONCE)]
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    }

    return {
      result: plan.result,
      async send() {
        if (!isAnnounced) await announce()
        while (left.length > 0) await sendSome()
      },
    }
  }
}

/** How far the errbacks of a chord go. */
export function errbackReach({ taskAllowErrorCbOnChordHeader }: Settings): ErrbackReach {
  return taskAllowErrorCbOnChordHeader ? 'header' : 'chords'
}
