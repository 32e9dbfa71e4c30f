import type { Command } from 'commander'
import { nodeName } from '../../worker/node-name.js'
import { startBeat } from '../../beat/start-beat.js'
import { stopRequested } from '../../stop-requested.js'
import { formatBanner } from '../banner.js'
import { openApp, type AppFlags } from '../open-app.js'
import { writePidfile } from '../pidfile.js'
import { addWorkerFlags, readWorkerFlags, without } from '../worker-flags.js'

const CHILD_APP = new URL('../child-app.js', import.meta.url)

/** Celery's `worker`: runs tasks until it is told to stop. */
export function defineWorker(command: Command): Command {
  return addWorkerFlags(command)
    .description('run tasks')
    .action(async (words: readonly string[]) => {
      const flags = readWorkerFlags(command, words)
      const opened = await openApp(command.optsWithGlobals<AppFlags>(), 'worker')
      const { app, log, logFormat } = opened
      app.configure(flags.settings)
      const queues = without(flags.options.queues ?? opened.queues, flags.excludeQueues)
      const options = {
        ...flags.options,
        queues,
        hostname: nodeName(flags.options.hostname ?? 'celery@%h'),
        appModule: CHILD_APP,
        childEnv: opened.env,
      }
      if (flags.pidfile !== undefined) writePidfile(flags.pidfile)
      // Whoever collects JSON wants nothing else on standard output.
      if (logFormat === 'pretty' && !flags.isQuiet) process.stdout.write(formatBanner(app, options))
      if (flags.purges) {
        const purged = await app.control.purge(queues)
        log.warn({ queues, purged }, 'dropped what waited')
      }
      const worker = await app.startWorker(options)
      const beat = flags.hasBeat ? await startBeat(app) : undefined
      // Remote control may stop it as well.
      const signal = await Promise.race([stopRequested(log), worker.stopped])
      await beat?.stop()
      await (isCold(signal) ? worker.abort() : worker.stop())
      await app.close()
    })
}

/** Celery's cold shutdown: what runs is handed back at once. */
function isCold(signal: NodeJS.Signals | undefined | void): boolean {
  return signal === 'SIGQUIT' || (signal === 'SIGTERM' && process.env.REMAP_SIGTERM === 'SIGQUIT')
}
