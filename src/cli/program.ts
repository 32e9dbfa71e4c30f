import { Command, Option } from 'commander'
import { loadDotEnv } from '../app/environment.js'
import { defineAcl } from './commands/acl.js'
import { defineBeat } from './commands/beat.js'
import { defineCall } from './commands/call.js'
import { defineDeadLetters } from './commands/dead-letters.js'
import { defineDoctor } from './commands/doctor.js'
import { defineEvents } from './commands/events.js'
import { defineList } from './commands/list.js'
import { definePurge } from './commands/purge.js'
import { defineControl, defineInspect, defineStatus } from './commands/nodes.js'
import { defineReport } from './commands/report.js'
import { defineResult } from './commands/result.js'
import { defineWorker } from './commands/worker.js'
import { changeDirectory } from './open-app.js'
import { GLOBAL_REFUSALS, refuseCommands, refuseFlags } from './refusals.js'
import { version } from '../version.js'

const GLOBAL_FLAGS = [
  [
    '-A, --app <module>',
    'JavaScript or TypeScript module that exports the app as `app` or default; else the bundled service',
  ],
  ['-b, --broker <url>', 'broker to use instead of the app’s'],
  ['--result-backend <url>', 'result backend to use instead of the app’s'],
  ['--workdir <directory>', 'change to this directory first'],
  ['-C, --no-color', 'no colours, on a terminal either; NO_COLOR and FORCE_COLOR say so as well'],
  ['-q, --quiet', 'no banner, and no count of nodes'],
] as const

/** The command `lovage` with all that it understands. */
export function createProgram(): Command {
  const program = new Command('lovage')
    .description('A Celery-compatible task runtime')
    .version(version, '--version')
    .exitOverride()
    .enablePositionalOptions()
    // Else long flags would have the text beside them wrapped by a narrow terminal, anywhere.
    .configureHelp({ minWidthToWrap: 20 })
  for (const [flags, description] of GLOBAL_FLAGS) program.option(flags, description)
  program.hook('preAction', () => {
    const { color, workdir } = program.opts<{ readonly color: boolean; readonly workdir?: string }>()
    if (!color) process.env.NO_COLOR = '1'
    if (workdir !== undefined) changeDirectory(workdir)
    loadDotEnv()
    // People read what a command prints; the service's own processes write JSON.
    process.env.LOG_FORMAT ||= 'pretty'
  })

  for (const [name, define] of Object.entries({
    worker: defineWorker,
    beat: defineBeat,
    call: defineCall,
    result: defineResult,
    status: defineStatus,
    inspect: defineInspect,
    control: defineControl,
    purge: definePurge,
    list: defineList,
    'dead-letters': defineDeadLetters,
    events: defineEvents,
    doctor: defineDoctor,
    report: defineReport,
    acl: defineAcl,
  })) {
    refuseGlobalFlags(define(program.command(name)))
  }

  refuseFlags(program, GLOBAL_REFUSALS).addOption(new Option('--skip-checks').hideHelp())
  refuseCommands(program)
  return program
}

/** As in Celery they stand before the command; whoever puts them behind it is told so. */
function refuseGlobalFlags(command: Command): void {
  for (const [flags] of GLOBAL_FLAGS) {
    const option = command.createOption(flags).hideHelp()
    command.addOption(option)
    command.on(`option:${option.name()}`, (value: string | null) => {
      const [flag = ''] = flags.split(/[ ,]/)
      // What stands in a URL may be secret.
      const example = option.required ? `${flag} ${flags.includes('<url>') ? 'URL' : value}` : flag
      command.error(
        `error: ${flag} is an option of lovage itself and stands before the command: ` +
          `lovage ${example} ${command.name()}`,
      )
    })
  }
}
