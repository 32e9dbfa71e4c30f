import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { closeServer } from '../../support/close-server.js'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'

it('a worker that cannot start leaves no connection of its own behind', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  atTestEnd(() => closeServer(taken))
  const { port } = taken.address() as AddressInfo
  const { url } = await startRedis()
  const app = testApp(url)
  await expect(app.startWorker({ httpPort: port })).rejects.toThrow('EADDRINUSE')
  const appModule = new URL('nowhere.js', import.meta.url)
  await expect(app.startWorker({ pool: 'threads', concurrency: 1, appModule })).rejects.toThrow('nowhere.js')

  await using worker = await app.startWorker()
  const observer = redisClient(url)
  const names = async (): Promise<string[] | null> =>
    String(await observer.client('LIST')).match(/lovage:hand-over:/g)
  await eventually(async () => (await names()) !== null)
  expect(await names()).toHaveLength(1)
  expect(worker.counts().succeeded).toBe(0)
})
