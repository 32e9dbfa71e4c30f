import path from 'node:path'
import { startProcess, type RunningProcess } from './start-process.js'
import type { CelerySettings, WorkerOptions } from '../../src/index.js'

/**
 * Start a Lovage worker with the tasks of shared-tasks.js in a process of its own. It consumes when this resolves, and
 * is killed when the test ends.
 */
export async function startLovageWorker(
  settings: CelerySettings,
  options: WorkerOptions = {},
): Promise<RunningProcess> {
  const worker = spawnLovageWorker(settings, options)
  await worker.waitForLine(/ready\./)
  return worker
}

/** The same without waiting: for one that may die before it has said anything. */
export function spawnLovageWorker(settings: CelerySettings, options: WorkerOptions = {}): RunningProcess {
  const program = path.join(import.meta.dirname, 'lovage-worker-process.js')
  return startProcess(process.execPath, [program, JSON.stringify(settings), JSON.stringify(options)], {
    cwd: path.resolve(import.meta.dirname, '../..'),
  })
}
