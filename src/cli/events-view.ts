import { isAlive } from '../events/worker-state.js'
import { oneLine } from './format-event.js'
import type { State } from '../events/state.js'

export interface ViewOptions {
  readonly columns: number
  readonly rows: number
  /** Unix seconds. */
  readonly now: number
  /** Whether events are received. */
  readonly isConnected: boolean
}

/** A page of the workers and the latest tasks, for a terminal that shows it anew every second. */
export function formatView(state: State, { columns, rows, now, isConnected }: ViewOptions): string {
  const workers = [...state.workers.values()].map((worker) => [
    worker.hostname,
    isAlive(worker, now) ? 'online' : 'lost',
    String(worker.active ?? '-'),
    String(worker.processed ?? '-'),
    `${worker.swIdent ?? '-'} ${worker.swVer ?? ''}`,
  ])
  const heads = 5
  const tasks = state
    .tasksByTime(Math.max(1, rows - workers.length - heads))
    .map((task) => [task.uuid, task.name ?? '-', task.worker ?? '-', clockTime(task.timestamp), task.state])
  return [
    `events: ${state.eventCount}   tasks: ${state.taskCount}   ${isConnected ? '' : 'NO CONNECTION   '}Ctrl-C ends`,
    '',
    ...table([['WORKER', 'STATE', 'ACTIVE', 'PROCESSED', 'SOFTWARE'], ...workers]),
    '',
    ...table([['TASK', 'NAME', 'WORKER', 'TIME', 'STATE'], ...tasks]),
  ]
    .map((line) => line.slice(0, columns))
    .slice(0, rows)
    .join('\n')
}

function table(lines: readonly (readonly string[])[]): string[] {
  const clean = lines.map((cells) => cells.map(oneLine))
  const widths = (clean[0] ?? []).map((_, i) => Math.max(...clean.map((cells) => cells[i]?.length ?? 0)))
  return clean.map((cells) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function clockTime(seconds: number | undefined): string {
  const at = new Date((seconds ?? Number.NaN) * 1000)
  return Number.isNaN(at.getTime()) ? '-' : at.toTimeString().slice(0, 8)
}
