/**
 * What a workflow comes to is the same whoever sends it and whoever runs it: Python alone is run beside the others, and
 * says what it has to come to.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { celeryGenerations } from '../../support/celery-generations.js'
import { say } from '../../support/say.js'
import { DIFFERENCES, expectedDifferences } from './matrix/differences.js'
import { runMatrix, type Cell, type MatrixRun } from './matrix/run.js'
import { labelled } from './matrix/workflow.js'
import { WORKFLOWS } from './matrix/workflows.js'
import type { Observation } from './matrix/observe.js'

const families = Object.entries(WORKFLOWS).map(([family, nodes]) => [family, Object.keys(nodes)] as const)
const workflows = new Map(
  Object.values(WORKFLOWS).flatMap((nodes) =>
    Object.entries(nodes).map(([name, node]) => [name, labelled(node)] as const),
  ),
)

/** `Python > TypeScript`: who sends, and who works. */
const titleOf = ({ producer, workers }: Cell): string => `${producer} > ${workers}`

describe.each(celeryGenerations.slice(0, 1))('workflows, as with $name alone', ({ python }) => {
  let run: MatrixRun
  beforeAll(async () => {
    run = await runMatrix(workflows, python)
  })

  const observation = (name: string, { workers, observed }: Cell): Observation => {
    const found = observed.get(name)
    if (found === undefined) throw new Error(`${name} was not run`)
    return workers === 'both' ? found.loose : found.exact
  }
  const baseline = (name: string, { workers }: Cell): Observation =>
    observation(name, { producer: 'Python', workers, observed: run.baseline })
  const partsThatDiffer = (name: string, cell: Cell): string[] => {
    const [expected, seen] = [baseline(name, cell), observation(name, cell)]
    const parts = Object.keys(expected) as (keyof Observation)[]
    return parts.filter((part) => JSON.stringify(seen[part]) !== JSON.stringify(expected[part]))
  }

  it.each([...workflows.keys()])('%s', (name) => {
    for (const cell of run.cells) {
      const { certain, possible } = expectedDifferences(name, cell)
      const without = (whole: Observation): object =>
        Object.fromEntries(Object.entries(whole).filter(([part]) => !possible.has(part)))
      expect(without(observation(name, cell)), titleOf(cell)).toEqual(without(baseline(name, cell)))
      expect(partsThatDiffer(name, cell), `${titleOf(cell)}: listed as different`).toEqual(
        expect.arrayContaining([...certain]),
      )
    }
  })

  it('are shared by Python and TypeScript where both work', () => {
    for (const { producer, observed } of run.cells.filter(({ workers }) => workers === 'both')) {
      const ranBy = [...observed.values()].flatMap((each) => [...each.ranBy])
      expect(new Set(ranBy), producer).toEqual(new Set(['python', 'lovage']))
    }
  })

  it('are told in a table', () => {
    const equalIn = (names: readonly string[], cell: Cell): number =>
      names.filter((name) => partsThatDiffer(name, cell).length === 0).length
    const row = (title: string, names: readonly string[]): string =>
      `  ${title}: ${run.cells.map((cell) => `${equalIn(names, cell)}/${names.length}`).join(' | ')}`
    say(`workflows that are as with Python alone: ${run.cells.map(titleOf).join(' | ')}`)
    for (const [family, names] of families) say(row(family, names))
    say(row('all', [...workflows.keys()]))
    for (const { why, parts, cells, workflows: names } of DIFFERENCES) {
      say(`  expected to differ (${parts.join(', ')}; ${cells.join(', ')}): ${why}: ${names.join('; ')}`)
    }
    const listed = DIFFERENCES.flatMap(({ workflows: names }) => names)
    expect(listed.filter((name) => !workflows.has(name))).toEqual([])
    expect(workflows.size).toBeGreaterThanOrEqual(60)
  })
})
