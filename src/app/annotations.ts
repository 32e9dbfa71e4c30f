import { describeValue, InvalidArgumentError } from '../errors.js'
import { checkAnnotation } from './check-task-options.js'
import { globMatcher } from '../glob.js'
import type { AnyTaskOptions, TaskOptions } from './task-options.js'

/** Decides by code. Undefined or null: the task stays as it is. */
export type AnnotationFunction = (
  name: string,
  options: AnyTaskOptions,
) => Partial<TaskOptions> | undefined | null

/** Options by task name; `*`, `?` and `[abc]` make a name a glob. An exact name comes after, and so above, all globs. */
export type AnnotationMap = Readonly<Record<string, Partial<TaskOptions>>>

/** Celery's `task_annotations`: one of them or a list, of which the later ones win. */
export type TaskAnnotations =
  AnnotationMap | AnnotationFunction | readonly (AnnotationMap | AnnotationFunction)[]

/** Annotations that were checked. @returns what replaces options of the task. */
export type Annotate = (name: string, options: AnyTaskOptions) => Partial<TaskOptions> | undefined

/**
 * Bring annotations into the one form that {@link annotated} takes.
 *
 * @throws InvalidArgumentError naming the part that is no annotation.
 * @see Celery 5.6, `app/annotations.py`: `prepare`, `resolve_all`
 */
export function compileAnnotations(annotations: TaskAnnotations): readonly Annotate[] {
  const list: readonly unknown[] = Array.isArray(annotations) ? annotations : [annotations]
  return list.map(compile)
}

/** A task's options with the annotations applied; the same object where there are none for it. */
export function annotated<Options extends AnyTaskOptions>(
  annotations: readonly Annotate[],
  name: string,
  options: Options,
): Options {
  let result = options
  for (const annotate of annotations) {
    const given = annotate(name, result)
    if (given !== undefined) result = { ...result, ...given }
  }
  return result
}

function compile(annotation: unknown): Annotate {
  if (typeof annotation === 'function') {
    const decide = annotation as AnnotationFunction
    return (name, options) => {
      const given = decide(name, options) ?? undefined
      if (given !== undefined) checkAnnotation(`the annotation of ${name}`, given)
      return given
    }
  }
  if (typeof annotation !== 'object' || annotation === null) {
    throw new InvalidArgumentError(
      `expected an object of task names and options, or a function, got ${describeValue(annotation)}`,
    )
  }
  const entries = Object.entries(annotation as AnnotationMap)
  for (const [pattern, options] of entries) checkAnnotation(`[${JSON.stringify(pattern)}]`, options)
  const isGlob = (pattern: string): boolean => /[*?[]/.test(pattern)
  const globs = entries
    .filter(([pattern]) => isGlob(pattern))
    .map(([pattern, options]) => ({ matches: globMatcher(pattern), options }))
  const exact = new Map(entries.filter(([pattern]) => !isGlob(pattern)))
  return (name) => {
    const given = [...globs.filter(({ matches }) => matches(name)).map(({ options }) => options)]
    const own = exact.get(name)
    if (own !== undefined) given.push(own)
    return given.length === 0 ? undefined : (Object.assign({}, ...given) as Partial<TaskOptions>)
  }
}
