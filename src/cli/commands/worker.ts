import type { Command } from 'commander'
import { nodeFile, nodeName } from '../../worker/node-name.js'
import { formatBanner } from '../banner.js'
import { createLog } from '../../log.js'
import { findModule } from '../load-app.js'
import { isReloaded, runReloading, withoutReports } from '../reload.js'
import { openApp, readAppEnvironment, type AppFlags } from '../open-app.js'
import { runWorker } from '../run-worker.js'
import { writePidfile } from '../pidfile.js'
import { addWorkerFlags, readWorkerFlags, without } from '../worker-flags.js'

const CHILD_APP = new URL('../child-app.js', import.meta.url)

/** Celery's `worker`: runs tasks until it is told to stop. */
export function defineWorker(command: Command): Command {
  return addWorkerFlags(command)
    .description('run tasks')
    .action(async (words: readonly string[]) => {
      const flags = readWorkerFlags(command, words)
      const appFlags = command.optsWithGlobals<AppFlags>()
      if (flags.reloads && !isReloaded()) {
        process.exitCode = await reload(appFlags)
        return
      }
      const opened = await openApp(appFlags, 'worker')
      const { app, log, logFormat } = opened
      const hostname = nodeName(flags.options.hostname ?? 'celery@%h')
      const { workerStateDb, ...settings } = flags.settings
      app.configure(settings)
      if (workerStateDb !== undefined) app.configure({ workerStateDb: nodeFile(workerStateDb, hostname) })
      const queues = without(flags.options.queues ?? opened.queues, flags.excludeQueues)
      const options = {
        ...flags.options,
        queues,
        hostname,
        appModule: CHILD_APP,
        childEnv: withoutReports(opened.env),
      }
      if (flags.pidfile !== undefined) writePidfile(nodeFile(flags.pidfile, hostname))
      // Whoever collects JSON wants nothing else on standard output.
      if (logFormat === 'pretty' && !flags.isQuiet) process.stdout.write(formatBanner(app, options))
      if (flags.purges) {
        const purged = await app.control.purge(queues)
        log.warn({ queues, purged }, 'dropped what waited')
      }
      await runWorker(app, options, flags.hasBeat)
      await app.close()
    })
}

/** @returns the exit code. */
function reload(flags: AppFlags): Promise<number> {
  const { env, environment } = readAppEnvironment(flags)
  const { CELERY_APP: module } = env
  const log = createLog({ ...environment.log, fields: { process: 'reload' } })
  return runReloading(module ? findModule(`-A ${module}`, module) : undefined, log)
}
