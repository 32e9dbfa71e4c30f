import type { Command } from 'commander'
import { startBeat } from '../../beat/start-beat.js'
import { stopRequested } from '../../stop-requested.js'
import { addLogLevelFlag } from '../log-level.js'
import { openApp, type AppFlags } from '../open-app.js'

/** Celery's `beat`: sends what the schedule says until it is told to stop. */
export function defineBeat(command: Command): Command {
  return addLogLevelFlag(command)
    .description('send periodic tasks')
    .action(async () => {
      const { app, log } = await openApp(command.optsWithGlobals<AppFlags>(), 'beat')
      const scheduler = await startBeat(app)
      await stopRequested(log)
      await scheduler.stop()
      await app.close()
    })
}
