import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { createRedisBroker } from '../../../src/broker/redis-broker.js'
import { silentLog } from '../../../src/log.js'
import { startRedis } from '../../support/redis-server.js'

it('guards the lease no longer than its broker is open, though its consumer was not stopped', async () => {
  await using server = await startRedis()
  const broker = createRedisBroker({ connection: { url: server.url }, log: silentLog })
  const begun = once(process, 'worker') as Promise<[Worker]>
  await broker.consumer({ queues: ['q'], consumerId: 'w1:c' }).start()
  const [thread] = await begun

  const ended = once(thread, 'exit')
  await broker.close()
  expect(await ended).toHaveLength(1)
})
