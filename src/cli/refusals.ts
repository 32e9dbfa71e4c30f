import { Option, type Command } from 'commander'
import { UsageError } from './errors.js'

/** Flags of Celery's that make no sense here, and what to do instead. */
type Refusals = Readonly<Record<string, string>>

const SERVICE_MANAGER = 'what keeps it running, such as systemd or a container, does that'

export const GLOBAL_REFUSALS: Refusals = {
  '--loader <name>': 'there are no loaders: -A names a module that exports the app',
  '--config <module>': 'the module of -A configures its app, and environment variables the bundled service',
}

/** Of the commands that keep running. */
export const DAEMON_REFUSALS: Refusals = {
  '-D, --detach': SERVICE_MANAGER,
  '-f, --logfile <file>': 'the log goes to standard output; redirect that',
  '--uid <user>': SERVICE_MANAGER,
  '--gid <group>': SERVICE_MANAGER,
  '--umask <mask>': SERVICE_MANAGER,
  '--executable <file>': SERVICE_MANAGER,
}

const ONE_SCHEDULER = 'there is one scheduler; its entries are beatSchedule and addPeriodicTask'
/** Of a worker, whose `-S` is another flag. */
export const WORKER_REFUSALS: Refusals = { '--scheduler <class>': ONE_SCHEDULER }
export const BEAT_REFUSALS: Refusals = { '-S, --scheduler <class>': ONE_SCHEDULER }

export const EVENTS_REFUSALS: Refusals = {
  '-c, --camera <class>': 'write a program with app.events.receiver and app.events.state',
  '-F, --frequency <seconds>': 'there is no camera',
  '--freq <seconds>': 'there is no camera',
  '-r, --maxrate <rate>': 'there is no camera',
}

export const CALL_REFUSALS: Refusals = {
  '--exchange <name>': 'queues have exchanges of their own names; name the queue by --queue',
  '--routing-key <key>': 'queues have their names as routing keys; name the queue by --queue',
}

/** Commands of Celery's and its plugins' that are not here. */
const COMMAND_REFUSALS: Refusals = {
  amqp: 'the broker is Redis: see redis-cli',
  flower: 'Flower is a Python program, and shows Lovage’s workers as well: celery -b URL flower',
  graph: 'lovage inspect stats and active_queues tell of the workers',
  logtool: 'the log is JSON with LOG_FORMAT=json, for jq and the like',
  migrate: 'have workers consume the old broker until its queues are empty',
  multi: 'have systemd (lovage@1.service), or a container each, run several workers',
  shell: 'start node, and import the module that exports the app',
  upgrade: 'settings are checked at the start; docs/configuration.md has their names',
}

/** Have flags understood only to say why they are not here. */
export function refuseFlags(command: Command, ...refusals: readonly Refusals[]): Command {
  for (const [flags, reason] of refusals.flatMap((each) => Object.entries(each))) {
    const option = new Option(flags).hideHelp()
    command.addOption(option)
    command.on(`option:${option.name()}`, () =>
      command.error(`error: ${option.long ?? flags} is not here: ${reason}`),
    )
  }
  return command
}

/** The same for commands. */
export function refuseCommands(program: Command): void {
  for (const [name, reason] of Object.entries(COMMAND_REFUSALS)) {
    program
      .command(name, { hidden: true })
      .helpOption(false)
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => {
        throw new UsageError(`lovage ${name} is not here: ${reason}`)
      })
  }
}
