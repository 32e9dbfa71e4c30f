import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

/** A TCP port of the loopback interface that nobody listens on. Take it soon. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** One for a node of a Redis Cluster: its bus listens on a port that is 10,000 higher, which has to be one as well. */
export async function freeClusterPort(): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (port + 10_000 <= 65_535) return port
  }
}
