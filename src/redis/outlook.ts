import { setMaxListeners } from 'node:events'
import { explainTlsError } from './tls.js'
import { redactUrl } from './split-url.js'
import type { Cluster, Redis } from 'ioredis'
import type { Log } from '../log.js'

/** What is known of a client beside what ioredis knows. */
export interface Outlook {
  /** Without its password. */
  readonly url: string
  lastError: Error | undefined
  /** Whether it closes only to open again, which is no outage. */
  isReopening: boolean
  /** Aborts when the client is closed on purpose. */
  readonly closed: AbortController
}

const outlooks = new WeakMap<Redis | Cluster, Outlook>()

/** Undefined for a client that was not opened here. */
export function outlookOf(client: Redis | Cluster): Outlook | undefined {
  return outlooks.get(client)
}

/** Why there is no connection at the moment, as far as is known; for a message that names the URL. */
export function whyAway(client: Redis | Cluster): string {
  const outlook = outlooks.get(client)
  if (outlook?.lastError !== undefined) return outlook.lastError.message
  const isEncrypted = outlook?.url.startsWith('rediss')
  return `no answer; ${isEncrypted ? 'does this port speak TLS?' : 'does this port want TLS (rediss://)?'}`
}

/** @param url - of the server, with its password. */
export function newOutlook(url: string): Outlook {
  const closed = new AbortController()
  // Any number of callers may wait for one connection.
  setMaxListeners(0, closed.signal)
  return { url: redactUrl(url), lastError: undefined, isReopening: false, closed }
}

export function noteFault(outlook: Outlook): (error: Error) => void {
  return (error) => {
    outlook.lastError = error
  }
}

/** Keep the outlook of a client, and log one line where an outage begins and one where it ends. */
export function watchOutages(client: Redis | Cluster, outlook: Outlook, log: Log): void {
  client.setMaxListeners(0)
  outlooks.set(client, outlook)
  let isDown = false
  let isFirstOfAttempt = true
  const goDown = (): void => {
    if (isDown || outlook.isReopening || outlook.closed.signal.aborted) return
    isDown = true
    log.warn({ err: outlook.lastError }, 'no connection to Redis; trying again until there is one')
  }
  client.on('connecting', () => {
    isFirstOfAttempt = true
  })
  client.on('error', (error: ConnectionError) => {
    const cause = error.lastNodeError ?? error
    // ioredis notes the command that failed with its arguments.
    delete cause.command
    // Later errors of one attempt are consequences.
    if (isFirstOfAttempt) outlook.lastError = explainTlsError(cause, outlook.url)
    isFirstOfAttempt = false
    outlook.isReopening = false
    goDown()
  })
  client.on('close', goDown)
  client.on('ready', () => {
    outlook.lastError = undefined
    outlook.isReopening = false
    if (isDown) log.info({}, 'connected to Redis again')
    isDown = false
  })
}

interface ConnectionError extends Error {
  /** Of a cluster: why the last of its nodes could not be reached. */
  readonly lastNodeError?: ConnectionError
  command?: unknown
}
