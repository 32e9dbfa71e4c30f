import type { Observation } from './observe.js'

/** Workflows of which some combinations do not do what Python alone does. A difference that is gone has to go here, too. */
export interface Difference {
  readonly why: string
  readonly parts: readonly (keyof Observation)[]
  /**
   * Where they are seen, as `producer > worker`. Where both work, it depends on who runs what; if it is seen with
   * either alone, it has to be seen there, too.
   */
  readonly cells: readonly string[]
  readonly workflows: readonly string[]
}

const ONLY_PRODUCED = ['TypeScript > Python', 'TypeScript > TypeScript']
const ONLY_WORKED = ['Python > TypeScript', 'TypeScript > TypeScript']

export const DIFFERENCES: readonly Difference[] = [
  {
    why: 'Celery cannot call a chain as an errback, and says so in its log only',
    parts: ['began', 'groups', 'stored'],
    cells: ONLY_WORKED,
    workflows: ['a failure with a chain as errback'],
  },
  {
    why: 'Celery leaves out what is inside a body on the way from its result to the header',
    parts: ['handle'],
    cells: ONLY_PRODUCED,
    workflows: [
      'a chain of three groups and a task',
      'a chord with a chain as body',
      'a chord with a chord as body',
    ],
  },
  {
    why: "a body inside of what replaces a task: one names the header's group in it, the other does not",
    parts: ['groups'],
    cells: ONLY_WORKED,
    workflows: ['replaced by a chord', 'replaced by a group in a chain'],
  },
  {
    why: 'Celery leaves the members of a group that was to follow a failure without an end',
    parts: ['outcome', 'stored'],
    cells: ONLY_WORKED,
    workflows: ['a chain that fails before a group'],
  },
  {
    why: 'Celery never ends the outer chord; Lovage does, with its errbacks',
    parts: ['outcome', 'began', 'groups', 'stored'],
    cells: ONLY_WORKED,
    workflows: ['a chord whose inner chord fails'],
  },
]

/** Which parts have to differ in a cell, and which may. */
export function expectedDifferences(
  workflow: string,
  { producer, workers }: { readonly producer: string; readonly workers: string },
): { readonly certain: ReadonlySet<string>; readonly possible: ReadonlySet<string> } {
  const partsIn = (cell: string): ReadonlySet<string> =>
    new Set(
      DIFFERENCES.filter(
        ({ workflows, cells }) => workflows.includes(workflow) && cells.includes(cell),
      ).flatMap(({ parts }) => parts),
    )
  if (workers !== 'both') {
    const certain = partsIn(`${producer} > ${workers}`)
    return { certain, possible: certain }
  }
  const [python, typeScript] = [partsIn(`${producer} > Python`), partsIn(`${producer} > TypeScript`)]
  return {
    certain: new Set([...python].filter((part) => typeScript.has(part))),
    possible: new Set([...python, ...typeScript]),
  }
}
