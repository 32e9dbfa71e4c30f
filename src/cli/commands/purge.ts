import type { Command } from 'commander'
import { confirm } from '../confirm.js'
import { openApp, type AppFlags } from '../open-app.js'
import { plural } from '../plural.js'
import { UsageError } from '../errors.js'
import { readNames, without } from '../worker-flags.js'

interface PurgeFlags {
  readonly force?: boolean
  readonly queues?: readonly string[]
  readonly excludeQueues?: readonly string[]
  readonly json?: boolean
}

/** Celery's `purge`: drops all waiting messages, after asking. */
export function definePurge(command: Command): Command {
  return command
    .description('drop all messages that wait in the queues')
    .option('-f, --force', 'do not ask')
    .option('-Q, --queues <names>', 'queues to empty, separated by commas', readNames)
    .option('-X, --exclude-queues <names>', 'queues to leave alone', readNames)
    .option('--json', 'print how many as JSON; with -f')
    .action(async () => {
      const { force, queues: named, excludeQueues = [], json } = command.opts<PurgeFlags>()
      if (json && !force) throw new UsageError('--json leaves no room to ask: add -f')
      const { app, queues: known } = await openApp(
        { ...command.optsWithGlobals<AppFlags>(), loglevel: 'silent' },
        'purge',
      )
      const queues = without(named ?? known, excludeQueues)
      if (!force) {
        await confirm({
          warning: `This will remove all tasks from ${plural(queues.length, 'queue')}: ${queues.join(', ')}.`,
          question: 'Are you sure you want to delete all tasks?',
          refusal: 'nothing was purged',
        })
      }
      const counts = await Promise.all(queues.map((queue) => app.broker.purge(queue)))
      const purged = sum(counts)
      process.stdout.write(`${json ? JSON.stringify({ purged, queues }) : describe(purged, queues.length)}\n`)
      await app.close()
    })
}

function describe(messages: number, queues: number): string {
  if (messages === 0) return `No messages purged from ${queues} ${plural(queues, 'queue')}`
  return `Purged ${messages} ${plural(messages, 'message')} from ${queues} known task ${plural(queues, 'queue')}.`
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
