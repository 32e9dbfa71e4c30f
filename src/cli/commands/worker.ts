import type { Command } from 'commander'
import { nodeName } from '../../worker/node-name.js'
import { stopRequested } from '../../stop-requested.js'
import { formatBanner } from '../banner.js'
import { openApp, type AppFlags } from '../open-app.js'
import { addWorkerFlags, readWorkerFlags } from '../worker-flags.js'

const CHILD_APP = new URL('../child-app.js', import.meta.url)

/** Celery's `worker`: runs tasks until it is told to stop. */
export function defineWorker(command: Command): Command {
  return addWorkerFlags(command)
    .description('run tasks')
    .action(async () => {
      const flags = readWorkerFlags(command)
      const opened = await openApp(command.optsWithGlobals<AppFlags>(), 'worker')
      const { app, log, queues, logFormat } = opened
      app.configure(flags.settings)
      const options = {
        queues,
        ...flags.options,
        hostname: nodeName(flags.options.hostname ?? 'celery@%h'),
        appModule: CHILD_APP,
        childEnv: opened.env,
      }
      // Whoever collects JSON wants nothing else on standard output.
      if (logFormat === 'pretty') process.stdout.write(formatBanner(app, options))
      const worker = await app.startWorker(options)
      // Remote control may stop it as well.
      await Promise.race([stopRequested(log), worker.stopped])
      await worker.stop()
      await app.close()
    })
}
