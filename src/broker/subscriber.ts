import type { Redis } from 'ioredis'

/** A connection for what the server announces; it can carry any number of subscriptions. */
export interface Subscriber {
  readonly client: Redis
  /**
   * The connection's number on the server. It is asked for as soon as the connection stands, since one that has
   * subscribed can no longer be asked for anything.
   */
  id(): Promise<number>
}

/** @param client - Not connected yet, and used by whom this is handed to only. */
export function createSubscriber(client: Redis): Subscriber {
  let id: Promise<number> = Promise.reject(new Error('not connected yet'))
  id.catch(() => undefined)
  client.on('ready', () => {
    id = client.call('CLIENT', 'ID').then(Number)
    id.catch(() => undefined)
  })
  return { client, id: () => id }
}
