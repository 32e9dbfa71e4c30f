import { describe, expect, it } from 'vitest'
import { CommanderError, type Command } from 'commander'
import { UsageError } from '../../../src/cli/errors.js'
import { CONTROL_METHODS, INSPECT_METHODS, OLD_METHODS } from '../../../src/cli/node-methods.js'
import { createProgram } from '../../../src/cli/program.js'
import { hasColours } from '../../../src/has-colours.js'

/** What Celery 5.6 has (users-ask, section 4); `refused` is understood only to say what to do instead. */
const CELERY: Readonly<Record<string, { readonly has: string; readonly refused?: string }>> = {
  '': {
    has: '-A --app -b --broker --result-backend --workdir -C --no-color -q --quiet --version --skip-checks',
    refused: '--loader --config',
  },
  worker: {
    has:
      '-n --hostname -S --statedb -l --loglevel -O --optimization --prefetch-multiplier --disable-prefetch ' +
      '-c --concurrency -P --pool -E --task-events --events --time-limit --soft-time-limit --max-tasks-per-child ' +
      '--max-memory-per-child --purge --discard -Q --queues -X --exclude-queues -I --include --without-gossip ' +
      '--without-mingle --without-heartbeat --heartbeat-interval --autoscale -B --beat -s --schedule-filename ' +
      '--schedule --pidfile',
    refused: '-D --detach --scheduler -f --logfile --uid --gid --umask --executable',
  },
  beat: {
    has: '-s --schedule --max-interval -l --loglevel --pidfile',
    refused: '--detach -S --scheduler -f --logfile --uid --gid --umask --executable',
  },
  events: {
    has: '-d --dump -l --loglevel',
    refused: '-c --camera -F --freq --frequency -r --maxrate -D --detach -f --logfile',
  },
  status: { has: '-t --timeout -d --destination -j --json' },
  inspect: { has: '-t --timeout -d --destination -j --json -l --list' },
  control: { has: '-t --timeout -d --destination -j --json -l --list' },
  call: {
    has: '-a --args -k --kwargs --eta --countdown --expires --serializer --queue',
    refused: '--exchange --routing-key',
  },
  result: { has: '-t --task --traceback' },
  purge: { has: '-f --force -Q --queues -X --exclude-queues' },
  report: { has: '' },
  list: { has: '' },
}
const REFUSED_COMMANDS = ['amqp', 'flower', 'graph', 'logtool', 'migrate', 'multi', 'shell', 'upgrade']

interface Ended {
  readonly message: string
  readonly exitCode: number | undefined
  /** Whether the process would end with 2. */
  readonly isUsage: boolean
}

/** How the command ends that is given these words, and would do nothing else. */
async function end(...words: string[]): Promise<Ended> {
  const program = createProgram()
  let message = ''
  const mute = (command: Command): void => {
    command
      .exitOverride()
      .configureOutput({ writeErr: (text) => (message += text), writeOut: () => undefined })
    command.commands.forEach(mute)
  }
  mute(program)
  try {
    await program.parseAsync(words, { from: 'user' })
    return { message, exitCode: 0, isUsage: false }
  } catch (error) {
    if (error instanceof CommanderError)
      return { message, exitCode: error.exitCode, isUsage: error.exitCode !== 0 }
    return { message: (error as Error).message, exitCode: undefined, isUsage: error instanceof UsageError }
  }
}

function commandNamed(name: string): Command {
  const program = createProgram()
  return name === '' ? program : (program.commands.find((each) => each.name() === name) ?? expect.fail(name))
}

describe('lovage has what Celery’s users have in their fingers', () => {
  it.each(Object.entries(CELERY))('the flags of %j', (name, { has, refused = '' }) => {
    const { options } = commandNamed(name)
    const known = (hidden: boolean | undefined): string[] =>
      options
        .filter((option) => hidden === undefined || option.hidden === hidden)
        .flatMap(({ short, long }) => [short, long])
        .filter((flag) => flag !== undefined)
    const words = (text: string): string[] => text.split(' ').filter((flag) => flag !== '')
    expect(known(undefined)).toEqual(expect.arrayContaining([...words(has), ...words(refused)]))
    // What is not here is in no help text.
    expect(known(true)).toEqual(expect.arrayContaining(words(refused)))
  })

  it('the commands, all of them described', () => {
    const { commands } = commandNamed('')
    const names = commands.map((command) => command.name())
    expect(names).toEqual(expect.arrayContaining(Object.keys(CELERY).filter((name) => name !== '')))
    expect(names).toEqual(expect.arrayContaining(['doctor', 'dead-letters', 'acl', ...REFUSED_COMMANDS]))
    for (const command of commands) {
      if (REFUSED_COMMANDS.includes(command.name())) continue
      expect(command.description(), command.name()).not.toBe('')
      for (const option of command.options) {
        if (!option.hidden) expect(option.description, `${command.name()} ${option.flags}`).not.toBe('')
      }
    }
    expect(commandNamed('').helpInformation()).not.toMatch(/multi|amqp|--loader/)
  })

  it('help texts that fit a terminal of 80 columns', () => {
    const program = createProgram()
    for (const command of [program, ...program.commands]) {
      command.configureOutput({ getOutHelpWidth: () => 80 })
      for (const line of command.helpInformation().split('\n'))
        expect(line.length, line).toBeLessThanOrEqual(80)
    }
  })

  it('the methods of inspect and control', () => {
    expect(Object.keys(INSPECT_METHODS).toSorted().join(' ')).toBe(
      'active active_queues clock conf memdump memsample objgraph ping query_task registered report reserved ' +
        'revoked scheduled stats',
    )
    expect(Object.keys(CONTROL_METHODS).toSorted().join(' ')).toBe(
      'add_consumer autoscale cancel_consumer disable_events election enable_events heartbeat pool_grow ' +
        'pool_restart pool_shrink rate_limit revoke revoke_by_stamped_headers shutdown terminate time_limit',
    )
    expect(Object.keys(OLD_METHODS).toSorted().join(' ')).toBe(
      'dump_active dump_conf dump_reserved dump_revoked dump_schedule dump_tasks hello',
    )
  })

  it('refuses with a reason what makes no sense here', async () => {
    for (const [name, { refused = '' }] of Object.entries(CELERY)) {
      for (const flag of refused.split(' ').filter((each) => each.startsWith('--'))) {
        const { message, exitCode } = await end(...(name === '' ? [flag, 'x', 'report'] : [name, flag, 'x']))
        expect(message, flag).toMatch(new RegExp(`^error: ${flag} is not here: \\S.*\n$`))
        expect(exitCode).toBe(1)
      }
    }
    for (const name of REFUSED_COMMANDS) {
      const { message } = await end(name, 'start', '--anything')
      expect(message).toMatch(new RegExp(`^lovage ${name} is not here: \\S`))
    }
  })

  it.each([
    [['worker', '-c', 'many'], /-c.*'many'.*whole number/],
    [['worker', '--autoscale', '1,5'], /--autoscale.*'1,5'.*the larger one first/],
    [['worker', '--autoscale', 'much'], /--autoscale.*'much'.*max,min/],
    [['worker', '--time-limit', '0'], /--time-limit.*'0'.*more than 0/],
    [['worker', '--soft-time-limit', 'soon'], /--soft-time-limit.*seconds/],
    [['worker', '--max-tasks-per-child', '0'], /--max-tasks-per-child.*'0'.*whole number from 1/],
    [['worker', '--max-memory-per-child', '1MB'], /--max-memory-per-child.*'1MB'.*whole number/],
    [['worker', '-P', 'fibers'], /Expected one of async, gevent/],
    [['worker', '-l', 'loud'], /Expected one of DEBUG, INFO/],
    [['worker', '--prefetch-multiplier', '-1'], /whole number from 0/],
    [['worker', '-Q', 'a,,b'], /separated by commas/],
    [['worker', '-n', ''], /-n.*Expected a name/],
    [['worker', '-n', '@host'], /-n.*Expected a name/],
    [['call', 't', '-a', '{}'], /Expected a JSON array/],
    [['call', 't', '-a', '1, 2'], /Expected a JSON array such as \[2, 3\]: Unexpected/],
    [['call', 't', '-k', '[1]'], /Expected a JSON object such as \{"x": 2\}\./],
    [['call', 't', '-k', '[]'], /Expected a JSON object/],
    [['call', 't', '--eta', 'tomorrow'], /Expected a time such as/],
    [['call', 't', '--priority', 'high'], /Expected a number/],
    [['call'], /missing required argument 'name'/],
    [['worker', '-b', 'redis://x'], /stands before the command: lovage -b URL worker/],
    [['call', 't', '--result-backend', 'redis://x'], /stands before the command/],
  ])('%j: one line that says what was expected', async (words, line) => {
    const { message, exitCode } = await end(...words)
    expect(message).toMatch(line)
    expect(message.trim().split('\n')).toHaveLength(1)
    expect(exitCode).toBe(1)
  })

  it.each([
    [['wroker'], '(Did you mean worker?)'],
    [['worker', '--quues', 'x'], '(Did you mean --queues?)'],
    [['worker', '--conurrency', '1'], '(Did you mean --concurrency?)'],
    [['inspect', '--detsination', 'x', 'ping'], '(Did you mean --destination?)'],
    [['list', 'bindigns'], '(Did you mean bindings?)'],
    [['worker', '--', 'worker.prefetch_multiplyer=1'], 'did you mean worker_prefetch_multiplier?'],
    [['worker', '--', 'nonsense'], 'expected setting=value behind --, got "nonsense"'],
    [['beat', '-q'], '-q is an option of lovage itself and stands before the command: lovage -q beat'],
    [['beat', '--workdir', '/x'], 'stands before the command: lovage --workdir /x beat'],
    [['--workdir', '/nowhere', 'report'], '--workdir /nowhere: ENOENT'],
    [['purge', '--json'], 'add -f'],
    [['worker', '-O', 'loud'], 'Allowed choices are default, fair'],
    [['beat', '--max-interval', '0'], 'Expected seconds, more than 0'],
  ])('%j: a clear line', async (words, line) => {
    const { message, exitCode } = await end(...words)
    expect(message).toContain(line)
    expect(exitCode).not.toBe(0)
  })
})

describe('lovage, wrongly used', () => {
  it.each([
    [['control', 'election', 'id', 'topic'], /Python workers die of it/],
    [['inspect'], /expected a command/],
    [['inspect', 'actve'], /did you mean active\?/],
    [['inspect', 'revoke', 'x'], /revoke is a command of lovage control/],
    [['control', 'pool_grwo'], /did you mean pool_grow\?/],
    [['control', 'constructor'], /there is no command "constructor"/],
    [['control', 'frobnicate'], /--list names them all/],
    [['control', 'revoke'], /revoke: expected <id> \[\.\.\.\], got none/],
    [['control', 'pool_grow', 'many'], /expected a whole number, got "many"/],
    [['inspect', 'ping', 'x'], /ping: expected no arguments, got x/],
    [['status', '-t', '0'], /Expected seconds/],
    [['dead-letters', 'retry'], /expected either ids, or --queue/],
    [['dead-letters', 'purge', '-f'], /expected either ids, or --queue/],
    [['dead-letters', 'retry', 'id', '--all'], /expected either ids, or --queue/],
    [['dead-letters', 'purge', '--all', '--json'], /--json leaves no room to ask: add -f/],
    [['dead-letters', 'list', '--older-than', 'yesterday'], /Expected an age such as 90s/],
    [['dead-letters', 'list', '--limit', '-1'], /Expected a whole number from 0/],
    [['dead-letters', 'show'], /missing required argument 'id'/],
  ])('%j is refused as wrong usage', async (words, line) => {
    const { message, isUsage } = await end('-b', 'memory://', ...words)
    expect(message).toMatch(line)
    expect(isUsage).toBe(true)
  })
})

it.each([
  [false, {}, false],
  [true, {}, true],
  [true, { TERM: 'dumb' }, false],
  [true, { NO_COLOR: '1' }, false],
  [true, { NO_COLOR: '' }, true],
  [false, { FORCE_COLOR: '1' }, true],
  [true, { FORCE_COLOR: '0' }, false],
  [true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
])('colours on a terminal (%s) with %j: %s', (isTTY, env, expected) => {
  expect(hasColours({ isTTY }, env)).toBe(expected)
})
