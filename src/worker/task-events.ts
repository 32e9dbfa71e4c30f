import { pythonRepr } from '../serialization/python-repr.js'
import {
  taskFailed,
  taskReceived,
  taskRejected,
  taskRetried,
  taskRevoked,
  taskStarted,
  taskSucceeded,
} from '../events/task-fields.js'
import type { EventDispatcher } from '../events/dispatcher.js'
import type { TaskEnd, TaskMonitor } from './monitors.js'
import type { TaskLookup } from '../app/registered-task.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** Sends task events for what a worker does (wire protocol, section 14.4), but for tasks with `sendEvents: false`. */
export function createTaskEvents(dispatcher: EventDispatcher, tasks: TaskLookup): TaskMonitor {
  const isSilent = ({ task }: TaskMessage): boolean => tasks.get(task)?.options.sendEvents === false
  return {
    received(message) {
      if (!isSilent(message)) dispatcher.gather(taskReceived, message)
    },
    started(message) {
      if (!isSilent(message)) dispatcher.gather(taskStarted, message)
    },
    ended(message, end) {
      if (isSilent(message)) return () => undefined
      return toGather(dispatcher, message.id, end)
    },
  }
}

function toGather(dispatcher: EventDispatcher, id: string, end: TaskEnd): () => void {
  switch (end.kind) {
    case 'succeeded': {
      // Now, while the value is there as the task has returned it.
      const success = { id, result: pythonRepr(end.value), runtime: end.runtimeSeconds }
      return () => dispatcher.gather(taskSucceeded, success)
    }
    case 'failed':
    case 'retried': {
      const failure = { id, exception: end.exception, traceback: end.traceback }
      return () => dispatcher.gather(end.kind === 'failed' ? taskFailed : taskRetried, failure)
    }
    case 'revoked':
      return () => dispatcher.gather(taskRevoked, { id, ...end })
    case 'rejected':
      return () => dispatcher.gather(taskRejected, { id, ...end })
  }
}
