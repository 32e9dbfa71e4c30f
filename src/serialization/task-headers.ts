import { formatJson, type JsonForm } from './json.js'
import { pythonReprArgs, pythonReprKwargs } from './python-repr.js'
import { formatInstant } from './time.js'
import type { OutgoingTask } from './outgoing-task.js'

/**
 * Headers of a task message of protocol 2 as JSON, those of Celery 5.6 in its order (wire protocol, section 3.2).
 *
 * Written member by member: making an object of them to have it written costs four times as much, for each task sent.
 *
 * @throws {@link EncodeError} for a value that JSON cannot hold.
 */
export function formatTaskHeaders(
  task: OutgoingTask,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  form: JsonForm,
): string {
  const { eta, expires, timeLimits, stamps } = task
  const json = (name: string, value: unknown): string =>
    value === undefined || value === null ? 'null' : formatJson(value, form, name)
  const id = json('headers.id', task.id)
  return (
    `{"lang":"js","task":${json('headers.task', task.task)},"id":${id}` +
    `,"shadow":${json('headers.shadow', task.shadow)}` +
    `,"eta":${eta === undefined ? 'null' : `"${formatInstant(eta)}"`}` +
    `,"expires":${expires === undefined ? 'null' : `"${formatInstant(expires)}"`}` +
    `,"group":${json('headers.group', task.group)}` +
    `,"group_index":${json('headers.group_index', task.groupIndex)}` +
    `,"retries":${json('headers.retries', task.retries ?? 0)}` +
    `,"timelimit":[${json('headers.timelimit[0]', timeLimits?.[0])}` +
    `,${json('headers.timelimit[1]', timeLimits?.[1])}]` +
    `,"root_id":${task.rootId === undefined ? id : json('headers.root_id', task.rootId)}` +
    `,"parent_id":${json('headers.parent_id', task.parentId)}` +
    `,"argsrepr":${json('headers.argsrepr', task.argsrepr ?? pythonReprArgs(args))}` +
    `,"kwargsrepr":${json('headers.kwargsrepr', task.kwargsrepr ?? pythonReprKwargs(kwargs))}` +
    `,"origin":${json('headers.origin', task.origin ?? '')}` +
    `,"ignore_result":${json('headers.ignore_result', task.ignoreResult ?? false)}` +
    `,"replaced_task_nesting":${json('headers.replaced_task_nesting', task.replacedTaskNesting ?? 0)}` +
    `,"stamped_headers":${json('headers.stamped_headers', task.stampedHeaders)}` +
    `,"stamps":${stamps === undefined ? '{}' : json('headers.stamps', stamps)}}`
  )
}

const PROTOCOL_HEADERS: ReadonlySet<string> = new Set(
  Object.keys(JSON.parse(formatTaskHeaders({ id: '', task: '', queue: '' }, [], {}, 'tagged')) as object),
)

/**
 * More headers behind those that are written already. As in Celery, whoever names one of the protocol replaces it.
 *
 * @throws {@link EncodeError}
 */
export function withHeaders(
  written: string,
  more: Readonly<Record<string, unknown>> | undefined,
  form: JsonForm,
): string {
  if (more === undefined) return written
  const isReplacing = Object.keys(more).some((name) => PROTOCOL_HEADERS.has(name))
  if (isReplacing) return formatJson({ ...(JSON.parse(written) as object), ...more }, form, 'headers')
  const text = formatJson(more, form, 'headers')
  return text === '{}' ? written : `${written.slice(0, -1)},${text.slice(1)}`
}
