import { fullJitterMs } from '../backoff.js'
import { credentialsOf } from './connector.js'
import { fetchCredentials, type CredentialsProvider } from './credentials.js'
import { isRefusal } from './script.js'
import type { Log } from '../log.js'
import type { Redis } from 'ioredis'

/** `setTimeout` overflows past this and would fire at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1
const BACKOFF = { firstMs: 200, longestMs: 10_000 }
/** What a server says to AUTH on a connection that has subscribed. */
const SUBSCRIBED = /only .*SUBSCRIBE.* allowed in this context/

/**
 * Keep a connection logged in whose credentials expire: it logs in again with new ones when four fifths of their time
 * are over. AUTH is a command of its own among the others; transactions are written in one piece, so it never comes
 * within one.
 *
 * A connection that has subscribed may send no AUTH (RESP2), so it is opened anew instead.
 *
 * @param onReopen - Called before a connection is closed for that.
 */
export function keepLoggedIn(
  client: Redis,
  provider: CredentialsProvider,
  log: Log,
  onReopen: () => void,
): void {
  let timer: NodeJS.Timeout | undefined

  const schedule = (expiresAt: Date | undefined): void => {
    clearTimeout(timer)
    if (expiresAt === undefined) return
    const leftMs = Math.max(0, expiresAt.getTime() - Date.now())
    // Not in the same moment for all who got theirs in the same moment.
    const delayMs = leftMs * (0.7 + 0.1 * Math.random())
    timer = setTimeout(
      () => {
        if (delayMs > LONGEST_TIMEOUT_MS) schedule(expiresAt)
        else void renew(1)
      },
      Math.min(delayMs, LONGEST_TIMEOUT_MS),
    )
  }

  const reopen = (): void => {
    onReopen()
    client.disconnect(true)
  }

  const renew = async (attempt: number): Promise<void> => {
    const { stream } = client
    const isCurrent = (): boolean => client.status === 'ready' && client.stream === stream
    if (!isCurrent()) return
    if (client.mode === 'subscriber') {
      reopen()
      return
    }
    try {
      const { username, password, expiresAt } = await fetchCredentials(provider)
      if (!isCurrent()) return
      // It has subscribed meanwhile: then the client itself refuses to send AUTH.
      if (client.mode !== 'normal') {
        reopen()
        return
      }
      await (username === undefined ? client.auth(password) : client.auth(username, password))
      if (isCurrent()) schedule(expiresAt)
    } catch (error) {
      if (!isCurrent()) return
      // It was subscribing, and is told so only now.
      if (isRefusal(error) && SUBSCRIBED.test(error.message)) {
        reopen()
        return
      }
      // The command that failed is noted with its arguments, among them the password.
      if (error instanceof Error && 'command' in error) delete error.command
      log.warn({ err: error }, 'could not renew the login to Redis; trying again')
      clearTimeout(timer)
      timer = setTimeout(() => void renew(attempt + 1), fullJitterMs(attempt, BACKOFF))
    }
  }

  client.on('ready', () => schedule(credentialsOf(client.stream)?.expiresAt))
  client.on('close', () => clearTimeout(timer))
}
