import { AsyncLocalStorage } from 'node:async_hooks'
import { GetInsideTaskError } from './errors.js'
import type { ResultTuple } from '../serialization/result-tuple.js'

/** A task that runs, as it is seen by whatever it calls. */
export interface RunningTask {
  readonly id: string
  readonly name: string
  readonly rootId: string
  readonly priority: number
  /** What it has started so far, in this order; Celery's trail. */
  readonly children: ResultTuple[]
}

/** So many children a result names; a task that starts a million others should not fail for the list of them. */
const MOST_CHILDREN = 10_000

const running = new AsyncLocalStorage<RunningTask>()

/** Call a task's function, so that whatever it calls, now or later, can be told from the rest of the program. */
export function asRunning<T>(task: RunningTask, call: () => T): T {
  return running.run(task, call)
}

/** The task within which this is called. */
export function runningTask(): RunningTask | undefined {
  return running.getStore()
}

/** What was started is a child of the task within which this is called; outside of one it is nobody's. */
export function noteChild(started: ResultTuple): void {
  const children = running.getStore()?.children
  if (children !== undefined && children.length < MOST_CHILDREN) children.push(started)
}

/** @throws {@link GetInsideTaskError} within a task, unless allowed. */
export function refuseInsideTask({ allowInTask = false }: { readonly allowInTask?: boolean }): void {
  if (!allowInTask && running.getStore() !== undefined) throw new GetInsideTaskError()
}
