import { eventCost, SLICES_DROPPED } from './event-cost.js'
import { expectation, notMeasured } from './report-lines.js'
import { table, whole } from './table.js'
import type { Comparison } from './compare.js'
import type { Extent } from './contenders.js'

/** What is left of the throughput at least when events are on. */
const LEFT_WITH_EVENTS = 0.85
/** When it is received, when it starts and when it ends. */
const LOOKS_PER_TASK = 3

/** What events of tasks cost a worker: on, and off. */
export function reportEvents({ events = [], looks = [] }: Comparison, extent: Extent): string[] {
  const costs = events.map(({ label, seen, failures }) => ({ label, failures, cost: eventCost(seen) }))
  const header = [
    ['', 'tasks/s, off', 'tasks/s, on', 'left with events', 'middle half', 'slices compared'],
    ['CPU µs/task, off', 'CPU µs/task, on'],
  ].flat()
  const rows = costs
    .filter(({ cost }) => cost.compared > 0)
    .map(({ label, cost }) => [
      label,
      whole(cost.perSecondOff),
      whole(cost.perSecondOn),
      cost.left.toFixed(3),
      `${cost.leftFrom.toFixed(3)} to ${cost.leftTo.toFixed(3)}`,
      whole(cost.compared),
      cost.cpuMicrosOff.toFixed(1),
      cost.cpuMicrosOn.toFixed(1),
    ])
  const expected = costs.map(({ label, cost }) =>
    expectation(
      `${LEFT_WITH_EVENTS} of it with events, ${label}`,
      LEFT_WITH_EVENTS,
      cost.compared > 0 ? cost.left : undefined,
    ),
  )
  return [
    '## Events of tasks',
    '',
    `One worker works off its queue of ${whole(extent.eventTasks)} tasks, and turns events on and off again every ${extent.eventSliceMs} ms. Each`,
    'slice with events is held against the mean of the two beside it without, and the median of these ratios is what is',
    `left; the first ${SLICES_DROPPED} slices of a worker do not count. Redis publishes the events to nobody, or to one listener, which`,
    'reads them and shares the cores with the worker and Redis.',
    '',
    ...table(header, rows),
    '',
    ...[...expected, ...costOfNone(costs[0]?.cost.perSecondOff, looks[0]?.seen[0])].flatMap((line) => [
      line,
      '',
    ]),
    ...notMeasured([...events, ...looks]),
  ]
}

function costOfNone(perSecond = NaN, lookNs = NaN): string[] {
  const [ns, taskNs] = [LOOKS_PER_TASK * lookNs, 1_000_000_000 / perSecond]
  if (Number.isNaN(ns / taskNs)) return []
  return [
    [
      `While events are off, a task pays for ${LOOKS_PER_TASK} looks whether anybody watches, and for nothing else: too little to show in`,
      `a worker’s throughput. Timed by itself, in a loop with a call beside it that keeps it from being optimised away, a`,
      `look takes ${lookNs.toFixed(1)} ns: ${ns.toFixed(0)} ns of the ${whole(taskNs)} ns that a task takes, ${((100 * ns) / taskNs).toFixed(2)} %.`,
    ].join('\n'),
  ]
}
