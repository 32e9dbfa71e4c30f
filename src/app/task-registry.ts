import { annotated, type Annotate } from './annotations.js'
import { describeValue, InvalidArgumentError } from '../errors.js'
import { registerTask, withOptions, type RegisteredTask, type TaskFunction } from './registered-task.js'
import type { AnyTaskOptions } from './task-options.js'

/** The tasks of an app, with the setting `taskAnnotations` applied to their options. */
export interface TaskRegistry {
  /** By name. */
  readonly tasks: ReadonlyMap<string, RegisteredTask>
  /** @throws InvalidArgumentError where the name is taken or the arguments are wrong. */
  register(name: string, options: AnyTaskOptions, fn: TaskFunction): RegisteredTask
  /** Apply the annotations again, which have changed. */
  annotate(): void
}

export function createTaskRegistry(annotations: () => readonly Annotate[]): TaskRegistry {
  /** With the options that they came with. */
  const registered: RegisteredTask[] = []
  const tasks = new Map<string, RegisteredTask>()

  const annotate = (task: RegisteredTask): void => {
    const { name, options } = task
    tasks.set(name, withOptions(task, annotated(annotations(), name, options)))
  }

  return {
    tasks,
    register(name, options, fn) {
      if (tasks.has(name))
        throw new InvalidArgumentError(`a task ${describeValue(name)} is registered already`)
      const task = registerTask(name, options, fn)
      registered.push(task)
      annotate(task)
      return task
    },
    annotate: () => registered.forEach(annotate),
  }
}
