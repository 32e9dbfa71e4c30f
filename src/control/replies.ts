/** What a node says that could not do as it was told; errors of nodes are data, not thrown. */
export interface NodeError {
  /** As the node has it: of Python often the repr of an exception. */
  readonly error: string
}

/** Replies by node name. Empty where no node has replied in time. */
export type NodeReplies<Reply> = Readonly<Record<string, Reply | NodeError>>

/** Whether a node's reply says that the command failed there. */
export function isNodeError(reply: unknown): reply is NodeError {
  return typeof reply === 'object' && reply !== null && typeof (reply as NodeError).error === 'string'
}

/** How commands say that they were obeyed. */
export interface Acknowledgement {
  readonly ok: string
}

/** A task in a worker's hands. Names are those on the wire, as in all of these replies. */
export interface TaskInfo {
  readonly id: string
  /** Shown name: the shadow name, if there is one. */
  readonly name: string
  readonly type: string
  /** Text where `safe` was asked for. */
  readonly args: readonly unknown[] | string
  readonly kwargs: Readonly<Record<string, unknown>> | string
  readonly hostname: string
  /** Unix seconds; null before it has started. */
  readonly time_start: number | null
  readonly acknowledged: boolean
  readonly delivery_info: {
    readonly exchange: string
    readonly routing_key: string
    readonly priority: number
    readonly redelivered: boolean | null
  }
  readonly worker_pid: number | null
}

export interface ScheduledTask {
  /** ISO 8601. */
  readonly eta: string | null
  readonly priority: number
  readonly request: TaskInfo
}

/** By task id. */
export type QueriedTasks = Readonly<
  Record<string, readonly [state: 'active' | 'reserved' | 'ready', info: TaskInfo]>
>

export interface QueueInfo {
  readonly name: string
  readonly routing_key: string
  readonly exchange: { readonly name: string; readonly type: string } & Readonly<Record<string, unknown>>
  readonly [more: string]: unknown
}

export interface WorkerStats {
  /** Started tasks by name. */
  readonly total: Readonly<Record<string, number>>
  readonly pid: number
  /** A number as text, as Celery has it. */
  readonly clock: string
  /** Seconds. */
  readonly uptime: number
  readonly pool: { readonly 'max-concurrency'?: number; readonly processes?: readonly number[] } & Readonly<
    Record<string, unknown>
  >
  readonly broker: Readonly<Record<string, unknown>>
  readonly prefetch_count: number
  readonly rusage: Readonly<Record<string, unknown>> | string
  readonly [more: string]: unknown
}

export interface Hello {
  /** Ids, oldest first; before Celery 5.7 with when each was revoked, by the replying process's own clock. */
  readonly revoked: readonly string[] | Readonly<Record<string, number | readonly [at: number, id: string]>>
  readonly clock: number
}
