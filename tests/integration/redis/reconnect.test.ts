import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Redis } from 'ioredis'
import { closeRedis, openSingle, ready } from '../../../src/redis/connect.js'
import { freePort } from '../../support/free-port.js'
import { say } from '../../support/say.js'
import { startRedis } from '../../support/redis-server.js'
import { startProxy } from '../../support/tcp-proxy.js'

const CLIENTS = 50
const SECOND = 1000

function openMany(port: number): Redis[] {
  const clients = Array.from({ length: CLIENTS }, () =>
    openSingle({ url: `redis://127.0.0.1:${port}` }, 'test', ''),
  )
  onTestFinished(async () => {
    await Promise.all(clients.map((client) => closeRedis(client)))
  })
  return clients
}

/** When each attempt to connect began, from now on. */
function watchAttempts(clients: readonly Redis[]): number[] {
  const attempts: number[] = []
  for (const client of clients) client.on('connecting', () => attempts.push(performance.now()))
  return attempts
}

function within(attempts: readonly number[], from: number, ms: number): number {
  return attempts.filter((at) => at >= from && at < from + ms).length
}

describe('row 16: when a server comes back to 50 clients that wait for it', () => {
  it('row 16: each connects once within a second, spread over it', async () => {
    const server = await startRedis()
    const proxy = await startProxy({ port: server.port })
    const clients = openMany(proxy.port)
    await Promise.all(clients.map((client) => ready(client, { timeoutMs: 20_000 })))
    const attempts = watchAttempts(clients)

    proxy.refuse()
    // Long enough for the pauses to have grown to their limit.
    await sleep(3 * SECOND)
    const from = performance.now()
    proxy.resume()
    await Promise.all(clients.map((client) => ready(client, { timeoutMs: 20_000 })))
    const tookMs = performance.now() - from
    await sleep(Math.max(0, SECOND - tookMs))

    const inFirstSecond = within(attempts, from, SECOND)
    const most = Math.max(
      ...attempts.filter((at) => at >= from).map((at) => within(attempts, at, SECOND / 10)),
    )
    say(
      `${CLIENTS} clients: ${inFirstSecond} attempts in the first second, at most ${most} in a tenth of it; ` +
        `all were ready after ${Math.round(tookMs)} ms`,
    )
    expect(inFirstSecond).toBeGreaterThan(CLIENTS / 2)
    expect(inFirstSecond).toBeLessThanOrEqual(CLIENTS * 1.2)
    // Spread evenly these would be an eighth of them; without jitter, all.
    expect(most).toBeLessThan(CLIENTS * 0.8)
  })

  it('row 16: while it refuses them, each tries less than five times a second', async () => {
    const clients = openMany(await freePort())
    await sleep(2 * SECOND)
    const attempts = watchAttempts(clients)
    const from = performance.now()
    await sleep(2 * SECOND)
    const perSecond = within(attempts, from, 2 * SECOND) / 2 / CLIENTS
    say(`each of ${CLIENTS} clients tried ${perSecond.toFixed(1)} times a second`)
    expect(perSecond).toBeGreaterThan(1)
    expect(perSecond).toBeLessThan(5)
  })

  it('row 16: a server that accepts and closes at once is not hammered either', async () => {
    let accepted = 0
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      accepted++
      sockets.add(socket.on('error', () => undefined))
      socket.destroy()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const address = server.address()
    openMany(typeof address === 'object' ? (address?.port ?? 0) : 0)
    await sleep(2 * SECOND)
    accepted = 0
    await sleep(2 * SECOND)
    expect(accepted / 2 / CLIENTS).toBeLessThan(5)
  })
})

describe('row 2: a host from which nothing comes', () => {
  it('row 2: is connected to as soon as it is back, not when the attempt that waits for it has run out', async () => {
    const server = await startRedis()
    const proxy = await startProxy({ port: server.port })
    proxy.blackhole()
    const client = openSingle({ url: `redis://127.0.0.1:${proxy.port}` }, 'test', '')
    onTestFinished(() => closeRedis(client))
    await once(client, 'connecting')
    const patientUntil = performance.now() + 5 * SECOND
    // Longer than any attempt beside the patient one.
    await sleep(SECOND)
    proxy.resume()
    const from = performance.now()
    await ready(client, { timeoutMs: 20_000 })
    say(`connected ${Math.round(performance.now() - from)} ms after the host was back`)
    expect(performance.now()).toBeLessThan(patientUntil - SECOND)
  })

  it('row 2: is waited for where it is only slow', async () => {
    const server = await startRedis()
    const proxy = await startProxy({ port: server.port })
    // Each way, so that no attempt of those beside the first can succeed.
    proxy.delay(500)
    const client = openSingle({ url: `redis://127.0.0.1:${proxy.port}` }, 'test', '')
    onTestFinished(() => closeRedis(client))
    await ready(client, { timeoutMs: 20_000 })
    expect(await client.ping()).toBe('PONG')
    // All others were given up.
    await vi.waitFor(() => expect(proxy.connections()).toBe(1), { timeout: 10_000 })
  })

  it('is named where it turns away one client too many', async () => {
    const { url } = await startRedis({ args: ['--maxclients', '1'] })
    const first = openSingle({ url }, 'test', '')
    onTestFinished(() => closeRedis(first))
    await ready(first)
    const second = openSingle({ url }, 'test', '')
    onTestFinished(() => closeRedis(second))
    await expect(ready(second, { timeoutMs: 500 })).rejects.toThrow(/max number of clients/)
  })
})
