import { describe, expect, it } from 'vitest'
import { UnknownColumnError } from '../../../../src/tasks/reports/errors.js'
import { nameColumns, planReport } from '../../../../src/tasks/reports/plan-report.js'

const HEADER = ['id', 'name', 'kind', 'price', 'note']
const SAMPLE = Array.from({ length: 10 }, (_, index) => [
  `${index}`,
  `name ${index}`,
  index % 2 === 0 ? 'even' : 'odd',
  index === 3 ? 'n/a' : `$${index}`,
  '',
])

describe('nameColumns', () => {
  it('names every column once', () => {
    expect(nameColumns([' a ', 'b', 'a', '', 'a', 'a (2)'])).toEqual([
      'a',
      'b',
      'a (2)',
      'column 4',
      'a (3)',
      'a (2) (2)',
    ])
  })
})

describe('planReport', () => {
  it('groups by the first text column with few values and aggregates the numeric ones, and says so', () => {
    const plan = planReport(HEADER, SAMPLE, {})
    expect(plan.groupBy).toEqual({ name: 'kind', index: 2 })
    expect(plan.metrics.map(({ column, index }) => [column, index])).toEqual([
      ['id', 0],
      ['price', 3],
    ])
    expect(plan.notes.join()).toContain('"kind"')
  })

  it('makes one group of all rows where no column makes groups', () => {
    expect(
      planReport(
        ['x', 'y'],
        [
          ['1', 'a'],
          ['2', 'b'],
        ],
        {},
      ).groupBy,
    ).toBeUndefined()
  })

  it('takes what it is told, in the order of aggregates', () => {
    const plan = planReport(HEADER, SAMPLE, { groupBy: 'name', metrics: { price: ['max', 'count'] } })
    expect(plan.groupBy).toEqual({ name: 'name', index: 1 })
    expect(plan.metrics).toEqual([{ column: 'price', index: 3, aggregates: ['count', 'max'] }])
    expect(plan.notes).toEqual([])
  })

  it('names the columns there are, and the one probably meant', () => {
    const plan = (): unknown => planReport(HEADER, SAMPLE, { groupBy: 'Kinds' })
    expect(plan).toThrow(UnknownColumnError)
    expect(plan).toThrow(
      'group_by: the source has no column "Kinds"; it has "id", "name", "kind", "price", "note"; did you mean "kind"?',
    )
    expect(() => planReport(HEADER, SAMPLE, { metrics: ['zzzzzz'] })).toThrow(/metrics: .*"note"$/)
  })
})
