import { InvalidArgumentError, Option, type Command } from 'commander'
import { startBeat } from '../../beat/start-beat.js'
import { stopRequested } from '../../stop-requested.js'
import { addLogLevelFlag } from '../log-level.js'
import { openApp, type AppFlags } from '../open-app.js'
import { writePidfile } from '../pidfile.js'
import { BEAT_REFUSALS, DAEMON_REFUSALS, refuseFlags } from '../refusals.js'
import { readSettingArguments } from '../setting-arguments.js'

interface BeatFlags {
  readonly maxInterval?: number
  readonly pidfile?: string
}

/** Celery's `beat`: sends what the schedule says until it is told to stop. */
export function defineBeat(command: Command): Command {
  return refuseFlags(addLogLevelFlag(command), DAEMON_REFUSALS, BEAT_REFUSALS)
    .description('send periodic tasks')
    .argument('[settings...]', 'behind --: settings, such as beat.max_loop_interval=60')
    .option('--max-interval <seconds>', 'between two looks at the schedule at most', readSeconds)
    .option('--pidfile <file>', 'keep the process’s id in this file')
    .addOption(
      new Option('-s, --schedule <file>', 'accepted for Celery’s sake: Redis keeps the last runs').hideHelp(),
    )
    .action(async (words: readonly string[]) => {
      const { maxInterval, pidfile } = command.opts<BeatFlags>()
      const settings = readSettingArguments(words, 'beat')
      const { app, log } = await openApp(command.optsWithGlobals<AppFlags>(), 'beat')
      app.configure({
        ...settings,
        ...(maxInterval === undefined ? {} : { beatMaxLoopInterval: maxInterval }),
      })
      if (pidfile !== undefined) writePidfile(pidfile)
      const scheduler = await startBeat(app)
      await stopRequested(log)
      await scheduler.stop()
      await app.close()
    })
}

function readSeconds(text: string): number {
  const seconds = Number(text)
  if (seconds > 0 && Number.isFinite(seconds)) return seconds
  throw new InvalidArgumentError('Expected seconds, more than 0.')
}
