import { groupOf, type CeleryEvent } from './event.js'
import { setNewest } from './bounded-map.js'
import { isAlive, newWorkerState, withSignOfLife, withWorkerEvent, type WorkerState } from './worker-state.js'
import { newTaskState, withTaskEvent, type TaskState } from './task-state.js'

export interface StateOptions {
  /** Of workers that are remembered; the longest silent go first. @default 5000 */
  readonly maxWorkers?: number
  /** Of tasks that are remembered; those without news go first. @default 10000 */
  readonly maxTasks?: number
}

/** Celery's `app.events.State`: the workers and tasks of a cluster, as events tell of them. */
export interface State {
  /** Take an event in: a receiver's handler. */
  readonly event: (this: void, event: CeleryEvent) => void
  /** By node name. One that said goodbye has no heartbeats any more. */
  readonly workers: ReadonlyMap<string, WorkerState>
  /** By id, those with the latest news last. */
  readonly tasks: ReadonlyMap<string, TaskState>
  /** Of events so far, and of tasks that were received. */
  readonly eventCount: number
  readonly taskCount: number
  /** Workers whose last sign of life is not older than two of their heartbeats. */
  aliveWorkers(): WorkerState[]
  /** Those with the latest news first. */
  tasksByTime(limit?: number): TaskState[]
  tasksByType(name: string, limit?: number): TaskState[]
  /** @param hostname - Node name of the worker that told of them last. */
  tasksByWorker(hostname: string, limit?: number): TaskState[]
  /** Names of the tasks that are remembered. */
  taskTypes(): string[]
  clear(): void
}

/** @param now - Unix seconds. */
export function createState(
  { maxWorkers = 5000, maxTasks = 10_000 }: StateOptions = {},
  now: () => number = () => Date.now() / 1000,
): State {
  const workers = new Map<string, WorkerState>()
  const tasks = new Map<string, TaskState>()
  let eventCount = 0
  let taskCount = 0

  const workerOf = (hostname: string): WorkerState => workers.get(hostname) ?? newWorkerState(hostname)
  const newestFirst = (fits: (task: TaskState) => boolean, limit = Infinity): TaskState[] => {
    const found: TaskState[] = []
    for (const task of [...tasks.values()].reverse()) {
      if (found.length >= limit) break
      if (fits(task)) found.push(task)
    }
    return found
  }

  const takeTaskEvent = (event: CeleryEvent): void => {
    const { type, uuid, hostname } = event
    if (uuid === undefined) return
    if (type === 'task-received') taskCount++
    if (type !== 'task-sent')
      setNewest(workers, hostname, withSignOfLife(workerOf(hostname), event), maxWorkers)
    setNewest(tasks, uuid, withTaskEvent(tasks.get(uuid) ?? newTaskState(uuid), event), maxTasks)
  }

  return {
    event(event) {
      eventCount++
      const group = groupOf(event.type)
      if (group === 'task') takeTaskEvent(event)
      if (group !== 'worker') return
      const { hostname } = event
      // Of one that was never heard of, its goodbye tells nothing.
      if (event.type !== 'worker-offline' || workers.has(hostname))
        setNewest(workers, hostname, withWorkerEvent(workerOf(hostname), event), maxWorkers)
    },
    workers,
    tasks,
    get eventCount() {
      return eventCount
    },
    get taskCount() {
      return taskCount
    },
    aliveWorkers: () => [...workers.values()].filter((worker) => isAlive(worker, now())),
    tasksByTime: (limit) => newestFirst(() => true, limit),
    tasksByType: (name, limit) => newestFirst((task) => task.name === name, limit),
    tasksByWorker: (hostname, limit) => newestFirst((task) => task.worker === hostname, limit),
    taskTypes: () => [...new Set([...tasks.values()].flatMap(({ name }) => name ?? []))].toSorted(),
    clear() {
      workers.clear()
      tasks.clear()
    },
  }
}
