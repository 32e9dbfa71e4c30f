import { EXCEPTION_STATES, isReady } from '../../serialization/states.js'
import { pythonRepr, pythonReprArgs } from '../../serialization/python-repr.js'
import { readException } from '../../serialization/exceptions.js'
import { z } from 'zod'
import type { ResultMeta } from '../../index.js'

/** A failure, as far as callers may know it. */
export const taskFailure = z
  .object({
    type: z.string().describe("The exception's class, such as ValueError."),
    message: z.string(),
    module: z.string(),
  })
  .meta({ id: 'TaskFailure' })

/** The answer of `GET /api/tasks/{id}`. */
export const taskState = z
  .object({
    task_id: z.string(),
    name: z.string().nullable().describe('Known with the setting result_extended only.'),
    state: z
      .string()
      .describe(
        "PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED, or a state of the task's own. " +
          'PENDING may also mean that the id is unknown or its result has expired.',
      ),
    ready: z.boolean().describe('Whether it has ended.'),
    successful: z.boolean(),
    result: z
      .unknown()
      .describe('What it returned; null before. Integers have all their digits, bytes are base64.'),
    error: taskFailure.nullable().describe('Why it failed, was revoked or is tried again.'),
    traceback: z.string().nullable().describe("The worker's, of a failure."),
    progress: z.unknown().describe('What the task reported with its state PROGRESS; null in other states.'),
    date_done: z.date().nullable(),
    retries: z.int().nullable().describe('Known with the setting result_extended only.'),
    children: z.array(z.unknown()).describe('Result tuples of the tasks that it started.'),
    parent_id: z.string().nullable(),
    group_id: z.string().nullable(),
  })
  .meta({ id: 'TaskState' })

export type TaskState = z.output<typeof taskState>

/** What is stored of a task, or that nothing is, as the API answers it. */
export function describeTask(taskId: string, meta: ResultMeta | undefined): TaskState {
  const state = meta?.status ?? 'PENDING'
  return {
    task_id: taskId,
    name: meta?.name ?? null,
    state,
    ready: isReady(state),
    successful: state === 'SUCCESS',
    result: state === 'SUCCESS' ? meta?.result : null,
    error: meta !== undefined && EXCEPTION_STATES.has(state) ? describeFailure(meta.result) : null,
    traceback: meta?.traceback ?? null,
    progress: state === 'PROGRESS' ? meta?.result : null,
    date_done: meta?.dateDone ?? null,
    retries: meta?.retries ?? null,
    children: [...(meta?.children ?? [])],
    parent_id: meta?.parentId ?? null,
    group_id: meta?.groupId ?? null,
  }
}

function describeFailure(stored: unknown): z.output<typeof taskFailure> {
  const { exc_type: type, exc_message: message, exc_module: module } = readException(stored)
  const [first] = message
  if (message.length === 0) return { type, message: '', module }
  if (message.length > 1) return { type, message: pythonReprArgs(message), module }
  return { type, message: typeof first === 'string' ? first : pythonRepr(first), module }
}
