import { workerOf } from './worker-of.js'
import type { BrokerKeys } from './keys.js'
import type { RedisClient } from '../redis/connect.js'

/** Node names of those whose lease is not over, sorted. */
export async function livingWorkers(client: RedisClient, keys: BrokerKeys): Promise<string[]> {
  const [seconds = '0', micros = '0'] = (await client.time()).map(String)
  const ids = await client.zrangebyscore(keys.leases, `${seconds}.${micros.padStart(6, '0')}`, '+inf')
  return [...new Set(ids.map(workerOf))].toSorted()
}
