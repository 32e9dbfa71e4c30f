import { pythonRepr } from '../serialization/python-repr.js'
import type { Attributes } from '@opentelemetry/api'
import type { Publication } from '../app/signals.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** Of the span of a call: those of Python's instrumentor. */
export function callAttributes({ task, taskId, queue }: Publication): Attributes {
  return {
    'celery.action': 'apply_async',
    'celery.task_name': task,
    'messaging.message.id': taskId,
    'messaging.destination_kind': 'queue',
    'messaging.destination': queue,
  }
}

/**
 * Of the span of a run: those of Python's instrumentor, which leaves out what is not set. Its `celery.hostname` is the
 * sender's `origin`, by mistake; here it is the node.
 */
export function runAttributes(message: TaskMessage, hostname: string): Attributes {
  const { id, task, correlationId, exchange, routingKey, priority, isRedelivered, replyTo } = message
  const { retries, eta, expires, hardTimeLimit, softTimeLimit } = message
  const info = { exchange, routing_key: routingKey, priority, redelivered: isRedelivered }
  const hasLimit = hardTimeLimit !== undefined || softTimeLimit !== undefined
  return {
    'celery.action': 'run',
    'celery.task_name': task,
    'celery.hostname': hostname,
    'celery.delivery_info': pythonRepr(info),
    'messaging.message.id': id,
    'messaging.conversation_id': correlationId,
    'messaging.destination': routingKey,
    ...(replyTo === '' ? {} : { 'celery.reply_to': replyTo }),
    ...(retries === 0 ? {} : { 'celery.retries': retries }),
    ...(eta === undefined ? {} : { 'celery.eta': eta.toISOString() }),
    ...(expires === undefined ? {} : { 'celery.expires': expires.toISOString() }),
    ...(hasLimit ? { 'celery.timelimit': [String(hardTimeLimit ?? ''), String(softTimeLimit ?? '')] } : {}),
  }
}
