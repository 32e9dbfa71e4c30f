import {
  failedFields,
  receivedFields,
  rejectedFields,
  revokedFields,
  startedFields,
  succeededFields,
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
      if (!isSilent(message)) dispatcher.gather('task-received', receivedFields(message))
    },
    started(message) {
      if (!isSilent(message)) dispatcher.gather('task-started', startedFields(message))
    },
    ended(message, end) {
      if (isSilent(message)) return () => undefined
      // Now, while the value is there as the task has returned it.
      const fields = fieldsOf(message, end)
      return () => dispatcher.gather(`task-${end.kind}`, fields)
    },
  }
}

function fieldsOf(message: TaskMessage, end: TaskEnd): string {
  switch (end.kind) {
    case 'succeeded':
      return succeededFields(message, end.value, end.runtimeSeconds)
    case 'failed':
    case 'retried':
      return failedFields(message, end.exception, end.traceback)
    case 'revoked':
      return revokedFields(message, end)
    case 'rejected':
      return rejectedFields(message, end.requeue)
  }
}
