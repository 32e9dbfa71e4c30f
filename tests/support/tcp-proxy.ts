import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { atTestEnd } from './at-test-end.js'
import { closeServer } from './close-server.js'

export interface ProxyTarget {
  readonly port: number
  /** @default '127.0.0.1' */
  readonly host?: string
}

/** A proxy between a client and its server that fails on demand. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** Connections open at the moment. */
  connections(): number
  /** Break all connections with a reset. New ones are let through. */
  cut(): void
  /** Break all connections and refuse new ones until {@link resume}. */
  refuse(): void
  /** Hold all bytes, both ways, until {@link resume} delivers them: a link that is slow without end. */
  pause(): void
  /**
   * Swallow all bytes from now on, of old and new connections, closing none: a host that vanished. After
   * {@link resume} the connections that lost bytes stay mute, as they would; new ones work.
   */
  blackhole(): void
  /** Deliver every byte `ms` milliseconds later; 0 ends it. */
  delay(ms: number): void
  /** Pass bytes and accept connections again. */
  resume(): void
  close(): Promise<void>
}

type Mode = 'pass' | 'pause' | 'blackhole' | 'refuse'

/** Listen on a free port of the loopback interface and pass everything to `target`. Closed when the test ends. */
export async function startProxy(target: ProxyTarget): Promise<TcpProxy> {
  const links = new Set<Link>()
  let mode: Mode = 'pass'
  let delayMs = 0

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (mode === 'refuse') return void client.resetAndDestroy()
    const upstream = connect({ port: target.port, host: target.host ?? '127.0.0.1', allowHalfOpen: true })
    const link = createLink(client, upstream, () => delayMs)
    links.add(link)
    link.enter(mode)
    void link.closed.then(() => links.delete(link))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  const enter = (next: Mode): void => {
    mode = next
    for (const link of links) link.enter(next)
  }
  const cut = (): void => {
    for (const link of links) link.cut()
  }
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    connections: () => links.size,
    cut,
    refuse() {
      enter('refuse')
      cut()
    },
    pause: () => enter('pause'),
    blackhole: () => enter('blackhole'),
    delay(ms) {
      delayMs = ms
    },
    resume: () => enter('pass'),
    async close() {
      cut()
      await closeServer(server)
    },
    [Symbol.asyncDispose]: () => proxy.close(),
  }
  atTestEnd(() => proxy.close())
  return proxy
}

/** One client's connection and the one made for it. */
interface Link {
  readonly closed: Promise<void>
  enter(mode: Mode): void
  cut(): void
}

function createLink(client: Socket, upstream: Socket, delayMs: () => number): Link {
  let mode: Mode = 'pass'
  let isMute = false
  const reset = (socket: Socket): void => {
    // A socket that has said its end already can be closed, but no longer reset.
    if (socket.writableEnded) socket.destroy()
    else socket.resetAndDestroy()
  }
  const cut = (): void => {
    reset(client)
    reset(upstream)
  }
  const join = (from: Socket, to: Socket): void => {
    // One after the other, so that a delay keeps the order of the bytes.
    let turn: Promise<void> = Promise.resolve()
    const inTurn = (act: () => void): void => {
      const dueMs = performance.now() + delayMs()
      turn = turn.then(async () => {
        const waitMs = dueMs - performance.now()
        if (waitMs > 0) await sleep(waitMs)
        if (!to.destroyed) act()
      })
    }
    from.on('data', (bytes) => {
      if (mode === 'blackhole') isMute = true
      if (!isMute) inTurn(() => void to.write(bytes))
    })
    from.on('end', () => {
      if (mode !== 'blackhole' && !isMute) inTurn(() => void to.end())
    })
    // A reset of one side is passed to the other; a vanished host passes on nothing.
    from.on('error', () => {
      if (mode !== 'blackhole') cut()
    })
  }
  join(client, upstream)
  join(upstream, client)

  return {
    closed: Promise.all([closeOf(client), closeOf(upstream)]).then(() => undefined),
    enter(next) {
      mode = next
      for (const socket of [client, upstream]) {
        if (next === 'pause') socket.pause()
        else socket.resume()
      }
    },
    cut,
  }
}

/** Resolves also after an error. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}
