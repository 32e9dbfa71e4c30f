import { once } from 'node:events'
import type { Server } from 'node:net'

/** Take no more connections, and wait until those that there are have ended. May be called again. */
export async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  server.close()
  await once(server, 'close')
}
