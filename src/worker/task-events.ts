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
import type { OutgoingEvent } from '../events/event.js'
import type { TaskEnd, TaskMonitor } from './monitors.js'
import type { TaskLookup } from '../app/registered-task.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** Sends task events for what a worker does (wire protocol, section 14.4), but for tasks with `sendEvents: false`. */
export function createTaskEvents(dispatcher: EventDispatcher, tasks: TaskLookup): TaskMonitor {
  const isSilent = ({ task }: TaskMessage): boolean => tasks.get(task)?.options.sendEvents === false
  return {
    received(message) {
      if (!isSilent(message)) dispatcher.gather(taskReceived(message))
    },
    started(message) {
      if (!isSilent(message)) dispatcher.gather(taskStarted(message))
    },
    ended(message, end) {
      if (isSilent(message)) return () => undefined
      // Now, while a value is there as its task has returned it.
      const event = eventOf(message.id, end)
      return () => dispatcher.gather(event)
    },
  }
}

function eventOf(id: string, end: TaskEnd): OutgoingEvent {
  switch (end.kind) {
    case 'succeeded':
      return taskSucceeded({ id, result: pythonRepr(end.value), runtime: end.runtimeSeconds })
    case 'failed':
      return taskFailed({ id, exception: end.exception, traceback: end.traceback })
    case 'retried':
      return taskRetried({ id, exception: end.exception, traceback: end.traceback })
    case 'revoked':
      return taskRevoked({ id, ...end })
    case 'rejected':
      return taskRejected({ id, ...end })
  }
}
