import { setTimeout as sleep } from 'node:timers/promises'
import { startBeat } from '../beat/start-beat.js'
import { REPEAT_MS, watchStopSignals } from '../stop-requested.js'
import type { Celery } from '../app/celery.js'
import type { WorkerOptions } from '../app/worker-options.js'

/** For a start that waits for a broker that is away; it holds nothing then. */
const START_WITHIN_MS = 5000
/** What cannot be handed back by then comes back when the lease is over. */
const HAND_BACK_WITHIN_MS = 5000

/**
 * Run a worker until it has stopped: by remote control, or as signals have it (docs/operations.md, "Stopping"). SIGTERM,
 * SIGINT and SIGHUP let its tasks finish; a second signal, or one that is cold, has it hand them back at once.
 *
 * @param hasBeat - Whether this process sends what the schedule says as well.
 */
export async function runWorker(app: Celery, options: WorkerOptions, hasBeat: boolean): Promise<void> {
  // From the beginning: one that has just started may hold messages already.
  const { asked, forced } = watchStopSignals(app.log, { repeatMs: REPEAT_MS, isCold })
  const givenUp = asked.then(() => sleep(START_WITHIN_MS, undefined, { ref: false }))
  const worker = await Promise.race([app.startWorker(options), givenUp])
  if (worker === undefined) return
  void forced.then((exitCode) => {
    process.exitCode = exitCode
    setTimeout(() => process.exit(), HAND_BACK_WITHIN_MS).unref()
    // Whether that succeeds is heard below.
    worker.abort().catch(() => undefined)
  })
  const beat = hasBeat ? await startBeat(app) : undefined
  await Promise.race([asked, worker.stopped])
  await beat?.stop()
  await worker.stop()
}

/** Celery's cold shutdown. */
function isCold(signal: NodeJS.Signals): boolean {
  return signal === 'SIGQUIT' || (signal === 'SIGTERM' && process.env.REMAP_SIGTERM === 'SIGQUIT')
}
