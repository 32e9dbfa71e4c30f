import { readOptions, type ControlOptions } from './options.js'
import type { Mailbox } from './mailbox.js'
import type {
  Acknowledgement,
  Hello,
  NodeReplies,
  QueriedTasks,
  QueueInfo,
  ScheduledTask,
  TaskInfo,
  WorkerStats,
} from './replies.js'

/** Asks workers, those of Python as well: Celery's `app.control.inspect()` (wire protocol, section 15.5). */
export interface Inspect {
  ping(): Promise<NodeReplies<Acknowledgement>>
  /** Tasks that run. With `safe`, arguments are texts. */
  active(options?: { readonly safe?: boolean }): Promise<NodeReplies<readonly TaskInfo[]>>
  /** Tasks that wait for a slot. */
  reserved(): Promise<NodeReplies<readonly TaskInfo[]>>
  /** Tasks whose ETA has not come. */
  scheduled(): Promise<NodeReplies<readonly ScheduledTask[]>>
  /** Tasks by their ids; each worker tells of those that it knows. */
  queryTask(ids: string | readonly string[]): Promise<NodeReplies<QueriedTasks>>
  /** Names of tasks, with these attributes of theirs (Celery's names, such as `rate_limit`). */
  registered(attributes?: readonly string[]): Promise<NodeReplies<readonly string[]>>
  stats(): Promise<NodeReplies<WorkerStats>>
  /** Settings by Celery's names: those that were changed, or all. Secrets are left out. */
  conf(options?: { readonly withDefaults?: boolean }): Promise<NodeReplies<Readonly<Record<string, unknown>>>>
  activeQueues(): Promise<NodeReplies<readonly QueueInfo[]>>
  /** Ids of revoked tasks. */
  revoked(): Promise<NodeReplies<readonly string[]>>
  clock(): Promise<NodeReplies<{ readonly clock: number }>>
  report(): Promise<NodeReplies<Acknowledgement>>
  /** What workers tell each other at the start. */
  hello(fromNode: string, revoked?: readonly string[]): Promise<NodeReplies<Hello | null>>
  memsample(): Promise<NodeReplies<string | null>>
  memdump(options?: { readonly samples?: number }): Promise<NodeReplies<string>>
  objgraph(options?: {
    readonly type?: string
    readonly num?: number
    readonly maxDepth?: number
  }): Promise<NodeReplies<unknown>>
  /** Any other command that replies. */
  request<Reply = unknown>(
    method: string,
    args?: Readonly<Record<string, unknown>>,
  ): Promise<NodeReplies<Reply>>
}

export function createInspect(mailbox: Mailbox, options: ControlOptions): Inspect {
  const request = async <Reply>(
    method: string,
    args: Readonly<Record<string, unknown>> = {},
  ): Promise<NodeReplies<Reply>> => {
    const { broadcast, collect } = readOptions(method, args, options)
    return Object.fromEntries(await mailbox.call(broadcast, collect)) as NodeReplies<Reply>
  }
  return {
    request,
    ping: () => request('ping'),
    active: ({ safe } = {}) => request('active', { safe: safe ?? null }),
    reserved: () => request('reserved'),
    scheduled: () => request('scheduled'),
    queryTask: (ids) => request('query_task', { ids: typeof ids === 'string' ? [ids] : ids }),
    registered: (attributes = []) => request('registered', { taskinfoitems: attributes }),
    stats: () => request('stats'),
    conf: ({ withDefaults = false } = {}) => request('conf', { with_defaults: withDefaults }),
    activeQueues: () => request('active_queues'),
    revoked: () => request('revoked'),
    clock: () => request('clock'),
    report: () => request('report'),
    hello: (fromNode, revoked) => request('hello', { from_node: fromNode, revoked: revoked ?? null }),
    memsample: () => request('memsample'),
    memdump: ({ samples = 10 } = {}) => request('memdump', { samples }),
    objgraph: ({ type = 'Request', num = 200, maxDepth = 10 } = {}) =>
      request('objgraph', { type, num, max_depth: maxDepth }),
  }
}
