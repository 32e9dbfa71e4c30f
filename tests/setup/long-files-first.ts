import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that take longer than their size tells, by which Vitest orders files that it has not seen run. Begun last, one of
 * them would have the end of its project to itself.
 */
const LONG = [
  'bench/bench',
  'cli/commands',
  'cli/nodes',
  'pools/children',
  'pools/command',
  'promises/row-07',
  'promises/row-17',
  'promises/row-22',
  'promises/row-23',
  'promises/row-35',
  'promises/row-40',
  'start/start',
  'control/commands',
  'faults/blocked-loop',
  'faults/chord',
  'faults/cluster',
  'faults/commands',
  'faults/kill',
  'faults/rolling-restarts',
  'faults/rotation',
  'faults/sentinel',
  'faults/storm',
]

export default class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification): boolean =>
      LONG.some((name) => moduleId.includes(`/${name}`))
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}
