import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'vitest'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { startRedis } from '../support/redis-server.js'
import { runThroughFault, startFaultSite, type FaultSite } from './fault-site.js'

async function behindProxy(socketTimeout: number): Promise<{ proxy: TcpProxy; site: FaultSite }> {
  const redis = await startRedis()
  const proxy = await startProxy(redis)
  const settings = { brokerTransportOptions: { socketTimeout }, redisSocketTimeout: socketTimeout }
  return { proxy, site: await startFaultSite({ redis, workerPort: proxy.port, settings }) }
}

describe('a network between worker and server', () => {
  it('row 2: that is cut twenty times', async () => {
    const { proxy, site } = await behindProxy(10)
    await runThroughFault(site, {
      name: 'cut, twenty times',
      tasks: 1000,
      async fault() {
        for (let i = 0; i < 20; i++) {
          proxy.cut()
          await sleep(30)
        }
      },
    })
  })

  it('row 2: that refuses connections for 2 s', async () => {
    const { proxy, site } = await behindProxy(10)
    await runThroughFault(site, {
      name: 'refused for 2 s',
      tasks: 500,
      async fault() {
        proxy.refuse()
        await sleep(2000)
        proxy.resume()
      },
    })
  })

  it('row 2: that swallows everything and closes nothing: half-open connections', async () => {
    const { proxy, site } = await behindProxy(1)
    await runThroughFault(site, {
      name: 'half-open, socket timeout 1 s',
      tasks: 500,
      async fault() {
        proxy.blackhole()
        await sleep(1500)
        proxy.resume()
      },
    })
  })

  it('row 2: that holds everything up and delivers it when its clients have given up', async () => {
    const { proxy, site } = await behindProxy(0.5)
    await runThroughFault(site, {
      name: 'held up for 2 s, socket timeout 0.5 s',
      tasks: 500,
      async fault() {
        proxy.pause()
        await sleep(2000)
        proxy.resume()
      },
    })
  })

  it('that takes 100 ms each way', async () => {
    const { proxy, site } = await behindProxy(10)
    await runThroughFault(site, {
      name: 'slow, 100 ms each way',
      tasks: 500,
      async fault() {
        proxy.delay(100)
        await sleep(1000)
        proxy.delay(0)
      },
    })
  })
})
