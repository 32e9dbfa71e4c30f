import { formatTable, printable } from './format-table.js'
import { isNodeError, type NodeReplies } from '../control/replies.js'
import { paintFor } from './paint.js'
import { plural } from './plural.js'

const INDENT = '    '

/** What nodes replied, as Celery prints it: a line for each node, and below it what it says. */
export function formatReplies(replies: NodeReplies<unknown>): string {
  const blocks = Object.entries(replies).map(([node, reply]) => {
    const status = isNodeError(reply) ? 'ERROR' : 'OK'
    const body = formatReply(reply)
      .split('\n')
      .map((line) => `${INDENT}${line}`.trimEnd())
    return [formatNode(node, status), ...body].join('\n')
  })
  return `${blocks.join('\n')}\n`
}

/** A node's own line. */
export function formatNode(node: string, status: 'OK' | 'ERROR'): string {
  const paint = paintFor(process.stdout)
  return `->  ${printable(node)}: ${status === 'OK' ? paint.good(status) : paint.bad(status)}`
}

export function formatOnline(count: number): string {
  return `${count} ${plural(count, 'node')} online.`
}

function formatReply(reply: unknown): string {
  if (isNodeError(reply)) return lines(reply.error)
  if (typeof reply === 'string') return lines(reply)
  if (isRecord(reply) && typeof reply['ok'] === 'string' && Object.keys(reply).length === 1)
    return lines(reply['ok'])
  if (Array.isArray(reply)) return formatList(reply)
  const states = isRecord(reply) ? Object.values(reply) : []
  if (states.length > 0 && states.every(isTaskState)) {
    const rows = states.map(([state, task]) => [state, ...taskRow(task)])
    return table(rows, ['STATE', ...TASK_HEADINGS])
  }
  return lines(JSON.stringify(reply, null, 2))
}

function formatList(items: readonly unknown[]): string {
  if (items.length === 0) return '- empty -'
  if (items.every(isTask)) return table(items.map(taskRow), TASK_HEADINGS)
  if (items.every(isScheduled))
    return table(
      items.map(({ eta, request }) => [String(eta), ...taskRow(request)]),
      ['ETA', ...TASK_HEADINGS],
    )
  if (items.every(isQueue))
    return table(
      items.map(({ name, exchange, routing_key: key }) => [name, nameOf(exchange), String(key)]),
      ['QUEUE', 'EXCHANGE', 'ROUTING KEY'],
    )
  return items.map((item) => `* ${lines(typeof item === 'string' ? item : JSON.stringify(item))}`).join('\n')
}

const TASK_HEADINGS = ['ID', 'NAME', 'ARGS', 'KWARGS', 'STARTED']

interface Task {
  readonly id: string
  readonly name: string
  readonly args: unknown
  readonly kwargs: unknown
  readonly time_start: unknown
}

function taskRow({ id, name, args, kwargs, time_start: start }: Task): string[] {
  const started = typeof start === 'number' ? new Date(start * 1000).toISOString() : '-'
  return [id, name, textOf(args), textOf(kwargs), started]
}

function textOf(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

function table(rows: readonly (readonly string[])[], headings: readonly string[]): string {
  return formatTable([headings, ...rows.map((row) => row.map(printable))])
}

function lines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTask(value: unknown): value is Task {
  return (
    isRecord(value) &&
    typeof value['id'] === 'string' &&
    typeof value['name'] === 'string' &&
    'time_start' in value
  )
}

function isTaskState(value: unknown): value is [state: string, task: Task] {
  return Array.isArray(value) && typeof value[0] === 'string' && isTask(value[1])
}

function isScheduled(value: unknown): value is { readonly eta: unknown; readonly request: Task } {
  return isRecord(value) && 'eta' in value && isTask(value['request'])
}

interface Queue {
  readonly name: string
  readonly exchange: unknown
  readonly routing_key: unknown
}

function isQueue(value: unknown): value is Queue {
  return isRecord(value) && typeof value['name'] === 'string' && 'exchange' in value && 'routing_key' in value
}

function nameOf(exchange: unknown): string {
  return isRecord(exchange) ? String(exchange['name']) : ''
}
