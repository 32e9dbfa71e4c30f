import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.js'

/** A server that sends back what it gets, and a proxy before it. */
async function setup(): Promise<{ proxy: TcpProxy; open: () => Promise<Socket> }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const proxy = await startProxy({ port: (server.address() as AddressInfo).port })
  const open = async (): Promise<Socket> => {
    const socket = connect(proxy.port, '127.0.0.1').setEncoding('utf8')
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  return { proxy, open }
}

async function echo(socket: Socket, text: string): Promise<unknown> {
  socket.write(text)
  const [answer] = (await once(socket, 'data', { signal: AbortSignal.timeout(5_000) })) as unknown[]
  return answer
}

it('passes bytes both ways', async () => {
  const { open } = await setup()

  expect(await echo(await open(), 'hello')).toBe('hello')
})

it('passes the end of a connection on', async () => {
  const { proxy, open } = await setup()
  const socket = await open()
  await echo(socket, 'hello')

  socket.end()
  await once(socket, 'close')

  await expect.poll(() => proxy.connections()).toBe(0)
})

it('cuts the connections there are and lets new ones through', async () => {
  const { proxy, open } = await setup()
  const socket = await open()
  await echo(socket, 'hello')

  proxy.cut()

  await expect(once(socket, 'close')).rejects.toThrow('ECONNRESET')
  expect(await echo(await open(), 'again')).toBe('again')
})

it('refuses connections until it resumes', async () => {
  const { proxy, open } = await setup()

  proxy.refuse()
  await expect(open().then((refused) => once(refused, 'close'))).rejects.toThrow('ECONNRESET')

  proxy.resume()
  expect(await echo(await open(), 'again')).toBe('again')
})

it('delivers what came during a pause when it resumes', async () => {
  const { proxy, open } = await setup()
  const socket = await open()
  await echo(socket, 'hello')

  proxy.pause()
  const answer = echo(socket, 'held')
  expect(await isSettledWithin(answer, 100)).toBe(false)
  proxy.resume()

  expect(await answer).toBe('held')
})

it('swallows bytes in a black hole, and leaves those connections mute', async () => {
  const { proxy, open } = await setup()
  const socket = await open()
  await echo(socket, 'hello')

  proxy.blackhole()
  const answer = echo(socket, 'lost')
  answer.catch(() => undefined)
  expect(await isSettledWithin(answer, 100)).toBe(false)
  proxy.resume()

  expect(await isSettledWithin(answer, 100)).toBe(false)
  expect(socket.closed).toBe(false)
  expect(await echo(await open(), 'again')).toBe('again')
})

it('delays bytes and keeps their order', async () => {
  const { proxy, open } = await setup()
  const socket = await open()
  await echo(socket, 'hello')

  proxy.delay(60)
  const startedAt = performance.now()
  let received = ''
  socket.on('data', (text: string) => (received += text))
  socket.write('a')
  socket.write('b')
  await expect.poll(() => received).toBe('ab')

  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(119)
})

async function isSettledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), ms))
  const settled = promise.then(
    () => true,
    () => true,
  )
  return Promise.race([settled, late])
}
