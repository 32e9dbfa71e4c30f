import { Cluster } from 'ioredis'
import { brokerKeys } from '../broker/keys.js'
import { systemClock, type Clock } from '../clock.js'
import { closeRedis, openRedis, ready, type RedisConnectionOptions } from '../redis/connect.js'
import { parseRedisUrl } from '../redis/url.js'
import { redactUrls } from '../log.js'
import { resultKeys } from '../results/keys.js'
import { clients } from './checks/clients.js'
import { clockSkew } from './checks/clock-skew.js'
import { encryption, roundTrip } from './checks/connection.js'
import { lastingLocks, lastingResults, wantedForEver } from './checks/expiry.js'
import { evictionPolicy, evictions, memory } from './checks/memory.js'
import { permissions } from './checks/permissions.js'
import { persistence } from './checks/persistence.js'
import { replication } from './checks/replication.js'
import { hashTag, serverKind } from './checks/server-kind.js'
import { deadLetterCount, livingWorkers, oldestMessage, overdueUnacked, queueDepths } from './checks/work.js'
import { explainFailure } from './explain-failure.js'
import { ok, warning, worst, type Finding, type Status } from './finding.js'
import { usedConnections } from './used-connections.js'
import { viewServer, type ServerView } from './server-view.js'
import type { Role } from './needs.js'
import type { ServerCheck, Subject, SubjectCheck, Use } from './subject.js'
import type { Settings } from '../app/settings.js'

export interface ExamineOptions {
  /** Queues to look into. */
  readonly queues: readonly string[]
  /** Whose permissions the user has to have. @default those of any role */
  readonly role?: Role | undefined
  /** @default that of this machine */
  readonly clock?: Clock
}

/** What was found at one URL. */
export interface UrlReport {
  readonly uses: readonly Use[]
  /** Without credentials. */
  readonly url: string
  readonly findings: readonly Finding[]
}

export interface Report {
  /** The worst of what was seen. */
  readonly status: Status
  readonly examined: readonly UrlReport[]
}

const SERVER_CHECKS: readonly ServerCheck[] = [
  roundTrip,
  encryption,
  serverKind,
  evictionPolicy,
  memory,
  evictions,
  persistence,
  clients,
  replication,
  clockSkew,
]
const CHECKS_OF: Readonly<Record<Use, readonly SubjectCheck[]>> = {
  broker: [
    hashTag,
    wantedForEver,
    lastingLocks,
    // Before the queues are looked at otherwise, as that makes them look used.
    oldestMessage,
    queueDepths,
    overdueUnacked,
    livingWorkers,
    deadLetterCount,
  ],
  results: [lastingResults],
}

/** Short enough for a screen that somebody waits for. */
const LEAST_CONNECT_MS = 3000
const COMMAND_MS = 5000

/**
 * Look at broker and result backend as a process with these settings would reach them. Nothing is written.
 *
 * Never rejects for what it finds: that is in the report.
 */
export async function examine(settings: Settings, options: ExamineOptions): Promise<Report> {
  const examined: UrlReport[] = []
  for (const { connection, uses } of usedConnections(settings)) {
    const url = redactUrls(connection.url)
    examined.push({ uses, url, findings: await examineUrl(settings, connection, uses, options) })
  }
  const statuses = examined.flatMap(({ findings }) => findings.map(({ status }) => status))
  return { status: worst(statuses.filter((status) => status !== 'unseen')), examined }
}

async function examineUrl(
  settings: Settings,
  connection: RedisConnectionOptions,
  uses: readonly Use[],
  { queues, role, clock = systemClock }: ExamineOptions,
): Promise<Finding[]> {
  const endpoint = parseRedisUrl(connection.url)
  if (endpoint.kind === 'memory') return [ok('reachability', 'in this process: there is nothing to look at')]
  const client = openRedis({ ...connection, commandTimeoutMs: COMMAND_MS }, 'doctor')
  try {
    await ready(client, { timeoutMs: Math.max(LEAST_CONNECT_MS, connection.connectTimeoutMs ?? 0) })
    const nodes = client instanceof Cluster ? client.nodes('master') : [client]
    const servers = await Promise.all(nodes.map(viewServer))
    const subject: Subject = {
      ...{ uses, settings, connection, endpoint, role, client, servers, clock },
      queues: [...new Set(queues)],
      keys: brokerKeys(settings.brokerTransportOptions),
      resultPrefix: resultKeys(settings.resultBackendTransportOptions.globalKeyprefix).task(''),
    }
    return await runChecks(subject)
  } catch (error) {
    return [explainFailure(error)]
  } finally {
    await closeRedis(client)
  }
}

async function runChecks(subject: Subject): Promise<Finding[]> {
  const { servers, uses } = subject
  const addresses = servers.map(({ address }) => address).join(', ')
  const findings: Finding[] = [ok('reachability', `connected to ${addresses}`)]
  // One after the other: what is asked at the same time waits for each other, and would be measured.
  for (const check of SERVER_CHECKS) {
    const seen: [ServerView, Finding][] = []
    for (const view of servers) seen.push([view, await look(check.name, () => check.look(view, subject))])
    findings.push(ofAll(seen))
  }
  for (const check of [permissions, ...uses.flatMap((use) => CHECKS_OF[use])]) {
    findings.push(
      await look(check.name, async () => {
        // What the one before was answered may have closed the connection, as MOVED does.
        await ready(subject.client, { timeoutMs: LEAST_CONNECT_MS })
        return check.look(subject)
      }),
    )
  }
  return findings
}

/** What keeps one check from its end does not keep the others. */
async function look(name: string, check: () => Finding | Promise<Finding>): Promise<Finding> {
  try {
    return await check()
  } catch (error) {
    const why = redactUrls(error instanceof Error ? error.message : String(error))
    return warning(name, `could not be looked at: ${why}`, 'try again; if it stays, look at the server’s log')
  }
}

/** One finding for several servers: the worst, with the addresses of those that it is about. */
function ofAll(seen: readonly (readonly [ServerView, Finding])[]): Finding {
  const status = worst(seen.map(([, finding]) => finding.status))
  const those = seen.filter(([, finding]) => finding.status === status)
  const [first] = those
  if (first === undefined) return warning('servers', 'none', 'look at the nodes of the cluster')
  const [, finding] = first
  if (seen.length === 1) return finding
  const found = those.map(([{ address }, each]) => `${address}: ${each.found}`).join('; ')
  return { ...finding, found }
}
