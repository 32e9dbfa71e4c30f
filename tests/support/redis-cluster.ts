import type { Redis } from 'ioredis'
import { eventually } from './eventually.js'
import { redisClient, startRedis, type RedisServer } from './redis-server.js'

export interface ClusterNode {
  readonly server: RedisServer
  readonly client: Redis
  readonly id: string
}

/** A Redis Cluster of the test's own. */
export interface RedisCluster {
  /** `redis+cluster://...` with the first two nodes. */
  readonly url: string
  readonly nodes: readonly ClusterNode[]
  /** The primary that has the slot of this key at the moment, as far as this node knows. */
  ownerOf(key: string, asked?: ClusterNode): Promise<ClusterNode>
  /** Move the slot of this key to another primary, as `redis-cli --cluster reshard` does. */
  moveSlot(key: string, to: ClusterNode): Promise<void>
  /** How often servers gave this error, such as `CROSSSLOT`. */
  errors(name: string): Promise<number>
  stop(): Promise<void>
}

export interface StartClusterOptions {
  /** @default 3 */
  readonly primaries?: number
  /** Of each primary. @default 1 */
  readonly replicas?: number
}

/** First and last slot, and the primary's host, port and id. */
type SlotRange = [number, number, [string, number, string]]

const SLOTS = 16_384
const NODE_TIMEOUT_MS = 1000

/** Start the nodes, join them and wait until the cluster works. They are killed when the test ends. */
export async function startCluster({
  primaries = 3,
  replicas = 1,
}: StartClusterOptions = {}): Promise<RedisCluster> {
  const count = primaries * (1 + replicas)
  const nodes = await Promise.all(Array.from({ length: count }, startNode))
  const [first] = nodes
  if (first === undefined) throw new Error('a cluster has at least one node')

  await Promise.all(nodes.map(({ client }, i) => client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)))
  for (const { client } of nodes.slice(1)) {
    await client.call('CLUSTER', 'MEET', '127.0.0.1', first.server.port)
  }
  await everywhere(nodes, 'CLUSTER INFO', new RegExp(`cluster_known_nodes:${count}\\b`))
  await Promise.all(
    nodes.slice(0, primaries).map(({ client }, i) => {
      const [from, to] = [i, i + 1].map((part) => Math.floor((SLOTS * part) / primaries))
      return client.call('CLUSTER', 'ADDSLOTSRANGE', from ?? 0, (to ?? 0) - 1)
    }),
  )
  const followers = nodes.slice(primaries)
  await Promise.all(
    followers.map(({ client }, i) =>
      eventually(() => client.call('CLUSTER', 'REPLICATE', nodes[i % primaries]?.id ?? '')),
    ),
  )
  await everywhere(followers, 'INFO replication', /master_link_status:up/)
  await everywhere(nodes, 'CLUSTER INFO', /cluster_state:ok/)

  const ownerOf = async (key: string, asked = first): Promise<ClusterNode> => {
    const slot = await slotOf(asked.client, key)
    const ranges = (await asked.client.cluster('SLOTS')) as unknown as SlotRange[]
    const owner = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2]
    const found = nodes.find(({ id }) => id === owner?.[2])
    if (found === undefined) throw new Error(`nobody has the slot of ${key}`)
    return found
  }

  return {
    url: `redis+cluster://${nodes
      .slice(0, 2)
      .map(({ server }) => `127.0.0.1:${server.port}`)
      .join(';')}`,
    nodes,
    ownerOf,
    async moveSlot(key, to) {
      const from = await ownerOf(key)
      const slot = await slotOf(first.client, key)
      await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
      await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
      for (;;) {
        const keys = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, 10)) as string[]
        if (keys.length === 0) break
        await from.client.call('MIGRATE', '127.0.0.1', to.server.port, '', 0, 5000, 'KEYS', ...keys)
      }
      for (const { client } of [to, from]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
    },
    async errors(name) {
      const infos = await Promise.all(nodes.map(({ client }) => client.info('errorstats').catch(() => '')))
      return infos.reduce(
        (sum, info) => sum + Number(new RegExp(`errorstat_${name}:count=(\\d+)`).exec(info)?.[1] ?? 0),
        0,
      )
    },
    async stop() {
      await Promise.all(nodes.map(({ client, server }) => (client.disconnect(), server.kill())))
    },
  }
}

async function startNode(): Promise<ClusterNode> {
  const server = await startRedis({
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
      ...['--cluster-node-timeout', String(NODE_TIMEOUT_MS), '--cluster-replica-validity-factor', '0'],
      ...['--repl-ping-replica-period', '1'],
    ],
  })
  const client = redisClient(server.url)
  return { server, client, id: String(await client.call('CLUSTER', 'MYID')) }
}

async function slotOf(client: Redis, key: string): Promise<number> {
  return Number(await client.call('CLUSTER', 'KEYSLOT', key))
}

async function everywhere(nodes: readonly ClusterNode[], command: string, pattern: RegExp): Promise<void> {
  const [name = '', ...args] = command.split(' ')
  const isSo = async ({ client }: ClusterNode): Promise<boolean> =>
    pattern.test(String(await client.call(name, ...args)))
  await Promise.all(nodes.map((node) => eventually(() => isSo(node), { timeoutMs: 20_000 })))
}
