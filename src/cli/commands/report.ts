import type { Command } from 'commander'
import { bugReport } from '../../app/bug-report.js'
import { settingsInfo } from '../../app/settings-info.js'
import { version } from '../../version.js'
import { openApp, type AppFlags } from '../open-app.js'

/** Celery's `report`: versions and settings, for reports of bugs. Connects to nothing. */
export function defineReport(command: Command): Command {
  return command
    .description('print versions and changed settings, for reports of bugs')
    .option('--json', 'print them as JSON')
    .action(async () => {
      const { app } = await openApp({ ...command.optsWithGlobals<AppFlags>(), loglevel: 'silent' }, 'report')
      const { json } = command.opts<{ readonly json?: boolean }>()
      const settings = settingsInfo(app.settings, { withDefaults: false })
      const known = { lovage: version, node: process.versions.node, app: app.name, settings }
      process.stdout.write(json ? `${JSON.stringify(known)}\n` : bugReport(app.settings, { app: app.name }))
      await app.close()
    })
}
