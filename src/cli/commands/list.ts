import type { Command } from 'commander'
import { controlExchanges } from '../../control/exchanges.js'
import { formatTable, printable } from '../format-table.js'
import { openApp, type AppFlags } from '../open-app.js'
import { readNames } from '../worker-flags.js'

interface BindingsFlags {
  readonly queues?: readonly string[]
  readonly json?: boolean
}

/** Celery's `list bindings`: which queues get what is sent to which exchanges. */
export function defineList(command: Command): Command {
  command.description('list bindings of queues to exchanges')
  const bindings = command
    .command('bindings')
    .description('list queues, their exchanges and routing keys')
    .option('-Q, --queues <names>', 'also those of these queues, separated by commas', readNames)
    .option('--json', 'print them as JSON')
  bindings.action(async () => {
    const { queues: named = [], json } = bindings.opts<BindingsFlags>()
    const { app, queues } = await openApp(
      { ...bindings.optsWithGlobals<AppFlags>(), loglevel: 'silent' },
      'list',
    )
    const { controlExchange, eventExchange } = app.settings
    const { requests } = controlExchanges(controlExchange)
    const exchanges = [...new Set([...queues, ...named]), requests, eventExchange]
    const found = await Promise.all(exchanges.map((exchange) => app.broker.bindings(exchange)))
    await app.close()
    const rows = found.flat()
    process.stdout.write(
      json
        ? `${JSON.stringify(rows)}\n`
        : `${formatTable([
            ['QUEUE', 'EXCHANGE', 'ROUTING KEY'],
            ...rows.map(({ queue, exchange, routingKey }) => [queue, exchange, routingKey].map(printable)),
          ])}\n`,
    )
  })
  return command
}
