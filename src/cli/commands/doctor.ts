import { InvalidArgumentError, type Command } from 'commander'
import { examine } from '../../doctor/examine.js'
import { formatReport } from '../../doctor/format-report.js'
import { ROLES, type Role } from '../../doctor/needs.js'
import { openApp, type AppFlags } from '../open-app.js'
import { paintFor } from '../paint.js'
import { readNames } from '../worker-flags.js'
import type { Status } from '../../doctor/finding.js'

interface DoctorFlags {
  readonly json?: boolean
  readonly queues?: readonly string[]
  readonly role?: Role
}

/** Not of Celery: looks at broker and result backend and says what is wrong with them, and what to do. */
export function defineDoctor(command: Command): Command {
  return command
    .description('look at broker and result backend, and say what to do; changes nothing')
    .option('--json', 'print the report as JSON')
    .option('-Q, --queues <names>', 'queues to look into, separated by commas', readNames)
    .option('--role <role>', `whose permissions to ask for: ${ROLES.join(', ')}; else any`, readRole)
    .action(async () => {
      const { json, queues: named, role } = command.opts<DoctorFlags>()
      const { app, queues } = await openApp(
        { ...command.optsWithGlobals<AppFlags>(), loglevel: 'silent' },
        'doctor',
      )
      const report = await examine(app.settings, { queues: named ?? queues, role })
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report, paintStatus))
      if (report.status === 'fault') process.exitCode = 1
    })
}

function paintStatus(status: Status, text: string): string {
  const { good, bad, warning } = paintFor(process.stdout)
  const painters: Partial<Record<Status, (text: string) => string>> = { ok: good, fault: bad, warning }
  return painters[status]?.(text) ?? text
}

function readRole(text: string): Role {
  const role = ROLES.find((known) => known === text)
  if (role === undefined) throw new InvalidArgumentError(`Expected one of ${ROLES.join(', ')}.`)
  return role
}
