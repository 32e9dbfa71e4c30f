import { Redis } from 'ioredis'
import { connectorFor, type Locator } from './connector.js'
import { nameOf, type Target } from './target.js'
import { RedisConnectError } from './errors.js'
import type { HostAndPort } from './endpoint.js'

/** Replies of a server that no longer is, or not yet is, what a client has to talk to. */
export const NO_PRIMARY = /(?:^|-)(?:READONLY|LOADING|MASTERDOWN|UNBLOCKED)\b/
/** The same, and what a primary says from which its replica was taken away to become the primary. */
const NO_PRIMARY_ANY_MORE = /(?:^|-)(?:READONLY|LOADING|MASTERDOWN|UNBLOCKED|NOREPLICAS)\b/
/** The same, and what nodes say of a slot that is elsewhere or out of order. */
const NO_PRIMARY_OF_SLOT = /(?:^|-)(?:READONLY|LOADING|MASTERDOWN|UNBLOCKED|MOVED|CLUSTERDOWN)\b/

/** The same targets always, in their order, but last the one that was found to be a replica. */
export function fixedLocator(targets: readonly Target[]): Locator {
  let avoided: Target | undefined
  return {
    wantsPrimary: targets.length > 1,
    leavesOn: NO_PRIMARY,
    locate() {
      const others = targets.filter((target) => target !== avoided)
      return Promise.resolve(avoided === undefined ? targets : [...others, avoided])
    },
    avoid(target) {
      avoided = target
    },
  }
}

export interface SentinelLocatorOptions {
  readonly sentinels: readonly Target[]
  readonly masterName: string
  /** What the primary takes besides its address. */
  readonly primary: Omit<Target, 'address'>
  readonly timeoutMs: number
}

/** The primary of which the sentinels know; asked for anew at each attempt, as it changes with a failover. */
export function sentinelLocator(options: SentinelLocatorOptions): Locator {
  const { masterName, primary, timeoutMs } = options
  /** The first is the one that answered last; at first any, so that a fleet does not ask the same one. */
  let sentinels: readonly Target[] = shuffled(options.sentinels)
  return {
    wantsPrimary: true,
    leavesOn: NO_PRIMARY_ANY_MORE,
    async locate(signal) {
      const found = await askInTurn(sentinels, signal, async (sentinel) => {
        const [reply] = await ask(sentinel, timeoutMs, signal, [
          ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName],
        ])
        const [host, port] = Array.isArray(reply) ? (reply as unknown[]) : []
        if (typeof host !== 'string') throw new Error(`${nameOf(sentinel)} knows no primary by that name`)
        return { host, port: Number(port) }
      })
      if (found.answer === undefined) {
        throw new RedisConnectError(
          'NO_PRIMARY',
          `no sentinel could tell where the primary ${JSON.stringify(masterName)} is: ${found.faults.join('; ')}`,
        )
      }
      sentinels = startingWith(sentinels, found.by)
      return [{ ...primary, address: found.answer }]
    },
    avoid() {
      // That sentinel may be behind the others.
      sentinels = startingWith(sentinels, sentinels[1] ?? sentinels[0])
    },
  }
}

export interface SlotLocatorOptions {
  readonly nodes: readonly HostAndPort[]
  /** In whose slot all the keys are that will be used. */
  readonly key: string
  /** What every node takes besides its address. */
  readonly node: Omit<Target, 'address'>
  readonly timeoutMs: number
}

/** The node of a cluster that has a slot at the moment. */
export function slotLocator(options: SlotLocatorOptions): Locator {
  const { key, node, timeoutMs } = options
  const seeds = options.nodes.map((address): Target => ({ ...node, address }))
  let known = seeds
  return {
    wantsPrimary: true,
    leavesOn: NO_PRIMARY_OF_SLOT,
    async locate(signal) {
      const found = await askInTurn(known, signal, async (target) => {
        const commands = [
          ['CLUSTER', 'KEYSLOT', key],
          ['CLUSTER', 'SLOTS'],
        ]
        const [slot, ranges] = await ask(target, timeoutMs, signal, commands)
        const owners = readSlots(ranges, hostOf(target))
        const owner = owners.find(({ first, last }) => first <= Number(slot) && Number(slot) <= last)
          ?.nodes[0]
        if (owner === undefined) throw new Error(`${nameOf(target)}: nobody has slot ${String(slot)}`)
        return { owner, all: owners.flatMap(({ nodes }) => nodes) }
      })
      if (found.answer === undefined) {
        // Nodes may have come back under other addresses than those that were learned.
        known = distinct([...seeds, ...known])
        throw new RedisConnectError(
          'NO_PRIMARY',
          `no node of the cluster could be asked: ${found.faults.join('; ')}`,
        )
      }
      const { owner, all } = found.answer
      const learned = all.map((address): Target => ({ ...node, address }))
      // The owner last: it is asked when something is wrong, most likely with it.
      const others = learned.filter((target) => nameOf(target) !== nameOf({ address: owner }))
      known = distinct([...shuffled(others), ...seeds, ...learned])
      return [{ ...node, address: owner }]
    },
    avoid() {
      known = shuffled(known)
    },
  }
}

interface SlotRange {
  readonly first: number
  readonly last: number
  /** The first is the primary. */
  readonly nodes: readonly HostAndPort[]
}

/** @param asked - The host that was asked, which is meant where a node's own is empty. */
function readSlots(reply: unknown, asked: string): SlotRange[] {
  return (reply as [number, number, ...[string | null, number][]][]).map(([first, last, ...nodes]) => ({
    first,
    last,
    nodes: nodes.filter(([host]) => host !== '?').map(([host, port]) => ({ host: host || asked, port })),
  }))
}

interface Answer<T> {
  readonly answer: T | undefined
  readonly by: Target | undefined
  readonly faults: readonly string[]
}

/** Ask one after the other until one answers. */
async function askInTurn<T>(
  targets: readonly Target[],
  signal: AbortSignal,
  question: (target: Target) => Promise<T>,
): Promise<Answer<T>> {
  const faults: string[] = []
  for (const by of targets) {
    try {
      return { answer: await question(by), by, faults }
    } catch (error) {
      signal.throwIfAborted()
      faults.push((error as Error).message)
    }
  }
  return { answer: undefined, by: undefined, faults }
}

/** Replies of a server on a connection that is opened for this. */
async function ask(
  target: Target,
  timeoutMs: number,
  signal: AbortSignal,
  commands: readonly (readonly string[])[],
): Promise<unknown[]> {
  const locator = fixedLocator([target])
  const client = new Redis({
    Connector: connectorFor(
      () => locator,
      timeoutMs,
      () => undefined,
    ),
    connectionName: `lovage:locate:${process.pid}`,
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    socketTimeout: timeoutMs,
    retryStrategy: () => null,
  })
  let fault: Error | undefined
  client.on('error', (error: Error) => (fault ??= error))
  const onAbort = (): void => client.disconnect()
  signal.addEventListener('abort', onAbort)
  try {
    await client.connect()
    return await Promise.all(commands.map(([name = '', ...args]) => client.call(name, ...args)))
  } catch (error) {
    throw fault ?? error
  } finally {
    signal.removeEventListener('abort', onAbort)
    client.disconnect()
  }
}

function hostOf({ address }: Target): string {
  return 'host' in address ? address.host : 'localhost'
}

function startingWith(targets: readonly Target[], first: Target | undefined): readonly Target[] {
  const index = first === undefined ? 0 : targets.indexOf(first)
  return [...targets.slice(index), ...targets.slice(0, index)]
}

function distinct(targets: readonly Target[]): Target[] {
  return [...new Map(targets.map((target) => [nameOf(target), target])).values()]
}

export function shuffled(targets: readonly Target[]): Target[] {
  return targets
    .map((target) => ({ target, order: Math.random() }))
    .sort((one, other) => one.order - other.order)
    .map(({ target }) => target)
}
