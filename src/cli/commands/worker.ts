import type { Command } from 'commander'
import { nodeName } from '../../worker/node-name.js'
import { stopRequested } from '../../stop-requested.js'
import { formatBanner } from '../banner.js'
import { openApp, type AppFlags } from '../open-app.js'
import { addWorkerFlags, readWorkerFlags } from '../worker-flags.js'

/** Celery's `worker`: runs tasks until it is told to stop. */
export function defineWorker(command: Command): Command {
  return addWorkerFlags(command)
    .description('run tasks')
    .action(async () => {
      const flags = readWorkerFlags(command)
      const { app, log, queues, logFormat } = await openApp(command.optsWithGlobals<AppFlags>(), 'worker')
      const options = {
        queues,
        concurrency: app.settings.workerConcurrency,
        ...flags,
        hostname: nodeName(flags.hostname ?? 'celery@%h'),
      }
      // Whoever collects JSON wants nothing else on standard output.
      if (logFormat === 'pretty') process.stdout.write(formatBanner(app, options))
      const worker = await app.startWorker(options)
      await stopRequested(log)
      await worker.stop()
      await app.close()
    })
}
