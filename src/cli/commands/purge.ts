import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { CommandFailedError } from '../errors.js'
import { openApp, type AppFlags } from '../open-app.js'
import { readNames } from '../worker-flags.js'

interface PurgeFlags {
  readonly force?: boolean
  readonly queues?: readonly string[]
}

/** Celery's `purge`: drops all waiting messages, after asking. */
export function definePurge(command: Command): Command {
  return command
    .description('drop all messages that wait in the queues')
    .option('-f, --force', 'do not ask')
    .option('-Q, --queues <names>', 'queues to empty, separated by commas', readNames)
    .action(async () => {
      const { force, queues: named } = command.opts<PurgeFlags>()
      const { app, queues: known } = await openApp(
        { ...command.optsWithGlobals<AppFlags>(), loglevel: 'silent' },
        'purge',
      )
      const queues = named ?? known
      if (!force) await confirm(queues)
      const counts = await Promise.all(queues.map((queue) => app.broker.purge(queue)))
      process.stdout.write(`${describe(sum(counts), queues.length)}\n`)
      await app.close()
    })
}

/** @throws CommandFailedError unless the answer is yes. */
async function confirm(queues: readonly string[]): Promise<void> {
  process.stdout.write(
    `WARNING: This will remove all tasks from ${plural(queues.length, 'queue')}: ${queues.join(', ')}.\n` +
      '         There is no undo for this operation!\n\n' +
      '(to skip this prompt use the -f option)\n',
  )
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
  const question = terminal.question('Are you sure you want to delete all tasks? [y/N]: ')
  const answer = await Promise.race([question, closed])
  terminal.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailedError('nothing was purged')
}

function describe(messages: number, queues: number): string {
  if (messages === 0) return `No messages purged from ${queues} ${plural(queues, 'queue')}`
  return `Purged ${messages} ${plural(messages, 'message')} from ${queues} known task ${plural(queues, 'queue')}.`
}

function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
