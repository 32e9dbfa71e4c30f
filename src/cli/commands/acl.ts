import { Argument, type Command } from 'commander'
import { aclRules, aclUserLines } from '../../doctor/acl-rules.js'
import { patternsOf } from '../../doctor/places.js'
import { ROLES, type Role } from '../../doctor/needs.js'
import type { Deployment } from '../../doctor/needs/need.js'
import { usedConnections } from '../../doctor/used-connections.js'
import { parseRedisUrl } from '../../redis/url.js'
import { UsageError } from '../errors.js'
import { openApp, type AppFlags } from '../open-app.js'
import { readNames } from '../worker-flags.js'

interface AclFlags {
  readonly user?: string
  readonly queues?: readonly string[]
}

/** Not of Celery: prints the least that a process may be allowed, as commands for Redis. Connects to nothing. */
export function defineAcl(command: Command): Command {
  return command
    .description('print the ACL user that a process can do with')
    .addArgument(new Argument('<role>', 'the process, or an operator').choices(ROLES))
    .option('--user <name>', 'of the user; else that of the role')
    .option('-Q, --queues <names>', 'all queues of the app, separated by commas', readNames)
    .action(async (role: Role) => {
      const { user = role, queues: named } = command.opts<AclFlags>()
      const { app, queues } = await openApp(
        { ...command.optsWithGlobals<AppFlags>(), loglevel: 'silent' },
        'acl',
      )
      const at = patternsOf(app.settings, named ?? queues)
      const connections = usedConnections(app.settings)
      for (const { connection, uses } of connections) {
        const rules = aclRules(role, uses, at, deploymentOf(connection.url))
        // Not on standard output, which redis-cli may read.
        if (connections.length > 1) process.stderr.write(`${uses.join(' and ')}:\n`)
        process.stdout.write(`${aclUserLines(user, rules).join(' ').replaceAll(/ +/g, ' ')}\n`)
      }
    })
}

function deploymentOf(url: string): Deployment {
  const endpoint = parseRedisUrl(url)
  switch (endpoint.kind) {
    case 'memory':
      throw new UsageError('memory:// has no users; name a Redis by -b')
    case 'cluster':
      return { db: 0, isCluster: true }
    case 'alternatives':
      return { db: endpoint.endpoints[0]?.db ?? 0, isCluster: false }
    case 'tcp':
    case 'socket':
    case 'sentinel':
      return { db: endpoint.db, isCluster: false }
  }
}
