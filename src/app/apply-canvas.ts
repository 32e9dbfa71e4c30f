import { randomUUID } from 'node:crypto'
import { planCall, type Plan, type PlannedTask } from '../canvas/plan.js'
import { tupleOf } from '../canvas/result-tree.js'
import { readSendOptions } from './read-send-options.js'
import type { PartialCall } from '../canvas/signature.js'
import type { ResultBackend } from '../results/result-backend.js'
import type { SendOptions, SendTask } from './send-task.js'

/** So many messages are encoded and pushed at once, so that a large group neither fills the memory nor the outbox. */
const MOST_AT_ONCE = 1000

export interface CanvasParts {
  readonly send: SendTask
  readonly backend: ResultBackend
  /** Names this app as a receiver of replies. */
  readonly replyTo: string
}

/** Sends what a signature stands for. Rejects as {@link SendTask} does; part of it may then have been sent. */
export type ApplyCanvas = (data: unknown, call: PartialCall, extra?: SendOptions) => Promise<Plan>

/**
 * @returns a function that resolves when all messages are in their queues; its `extra` options, such as the ids of a
 *   parent, are for each of them.
 */
export function createApplyCanvas({ send, backend, replyTo }: CanvasParts): ApplyCanvas {
  const sendOne = ({ task, args, kwargs, options }: PlannedTask, extra: SendOptions): Promise<unknown> =>
    send(task, args, kwargs, { ...readSendOptions(options), ...extra })

  return async (data, call, extra = {}) => {
    const plan = planCall(data, call, { newId: randomUUID, replyTo })
    // Before any message, and so before the last one of each header.
    for (const header of plan.headers) await backend.saveGroup(header.id, tupleOf(header))
    await Promise.all(plan.chords.map(({ groupId, size }) => backend.chords.start(groupId, size)))
    for (let first = 0; first < plan.tasks.length; first += MOST_AT_ONCE) {
      await Promise.all(plan.tasks.slice(first, first + MOST_AT_ONCE).map((task) => sendOne(task, extra)))
    }
    return plan
  }
}
