#!/usr/bin/env node
import { Command } from 'commander'
import { loadDotEnv } from '../app/environment.js'
import { defineAcl } from './commands/acl.js'
import { defineBeat } from './commands/beat.js'
import { defineCall } from './commands/call.js'
import { defineDeadLetters } from './commands/dead-letters.js'
import { defineDoctor } from './commands/doctor.js'
import { defineEvents } from './commands/events.js'
import { definePurge } from './commands/purge.js'
import { defineControl, defineInspect, defineStatus } from './commands/nodes.js'
import { defineResult } from './commands/result.js'
import { defineWorker } from './commands/worker.js'
import { runProgram } from './run-program.js'
import { version } from '../version.js'

const GLOBAL_FLAGS = [
  [
    '-A, --app <module>',
    'JavaScript module that exports the app as `app` or default; else the bundled service',
  ],
  ['-b, --broker <url>', 'broker to use instead of the app’s'],
  ['--result-backend <url>', 'result backend to use instead of the app’s'],
] as const

const program = new Command('lovage')
  .description('A Celery-compatible task runtime')
  .version(version, '--version')
  .exitOverride()
  .enablePositionalOptions()
for (const [flags, description] of GLOBAL_FLAGS) program.option(flags, description)
program.hook('preAction', () => {
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
  'dead-letters': defineDeadLetters,
  events: defineEvents,
  doctor: defineDoctor,
  acl: defineAcl,
})) {
  refuseGlobalFlags(define(program.command(name)))
}

await runProgram(program)

/** As in Celery they stand before the command; whoever puts them behind it is told so. */
function refuseGlobalFlags(command: Command): void {
  for (const [flags] of GLOBAL_FLAGS) {
    const option = command.createOption(flags).hideHelp()
    command.addOption(option)
    command.on(`option:${option.name()}`, (value: string) => {
      const [flag = ''] = flags.split(/[ ,]/)
      command.error(
        `error: ${flag} is an option of lovage itself and stands before the command: ` +
          `lovage ${flag} ${flag === '-A' ? value : 'URL'} ${command.name()}`,
      )
    })
  }
}
