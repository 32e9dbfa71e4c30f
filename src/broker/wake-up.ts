import { isSameServer } from '../redis/connect.js'
import { isElsewhere, isRefusal } from '../redis/script.js'
import type { Redis } from 'ioredis'
import type { Subscriber } from './subscriber.js'

/**
 * Says when a list may have got its first element, without taking anything off it. For all lists but the one at which a
 * consumer is handed its messages (`hand-over.ts`).
 *
 * A blocking pop would move a message into a reply that can be lost, and the one blocking command that moves
 * nothing (BLMOVE of a list to itself) watches a single list, where a worker has four for each queue. So the
 * server is asked, by client tracking, to tell a second connection when one of the lists changes: one EXISTS
 * over all lists registers the interest and answers whether there is something already.
 *
 * Where tracking cannot be had (denied by an ACL, or a server without it), lists are looked at every
 * `POLL_MS` instead. docs/decisions/0001-waiting-for-work.md weighs the alternatives.
 */
export interface WakeUp {
  /**
   * Resolves when a list has elements, `timeoutMs` is over or `signal` aborts. The same array of lists is not looked at
   * again before something may have changed.
   */
  wait(lists: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<void>
  /** End the wait that is under way, or else the next one at once. */
  interrupt(): void
  /** End the wait that is under way, of which nobody wants to know any more. An interruption is left to the next one. */
  leave(): void
  /** Nobody waits any more: the connections, which others share, are listened to no longer. */
  close(): void
}

const INVALIDATIONS = '__redis__:invalidate'
/** How often lists are looked at where the server cannot tell. */
const POLL_MS = 1000
/** How often they are looked at where it can: a notification may be lost with its connection. */
const SAFETY_POLL_MS = 5000

/**
 * @param client - runs the commands; its tracking mode is OPTIN, so that nothing else it reads is tracked.
 * @param subscriber - a RESP2 connection; undefined polls.
 */
export function createWakeUp(client: Redis, subscriber: Subscriber | undefined): WakeUp {
  let wake: (() => void) | undefined
  /** Lists that were empty when they were looked at, of whose change the server would have told since. */
  let watched: { readonly lists: readonly string[]; readonly lookedAt: number } | undefined
  let changes = 0
  let isInterrupted = false
  let isLeft = false
  let isArmed = false
  let redirectTo: number | undefined
  let mode: 'tracking' | 'polling' = subscriber === undefined ? 'polling' : 'tracking'

  const noteChange = (): void => {
    changes++
    watched = undefined
    wake?.()
  }
  const onMessage = (channel: string): void => {
    if (channel === INVALIDATIONS) noteChange()
  }
  const disarm = (): void => {
    isArmed = false
    noteChange()
  }
  const onSubscriberClosed = (): void => {
    redirectTo = undefined
    disarm()
  }
  client.on('close', disarm)
  // Once it is ready it can be armed again; whoever waits would look once a second only.
  subscriber?.client.on('message', onMessage).on('ready', noteChange).on('close', onSubscriberClosed)

  const subscribe = async (to: Subscriber): Promise<number> => {
    const id = await to.id()
    await to.client.subscribe(INVALIDATIONS)
    return id
  }
  const arm = async (to: Subscriber): Promise<void> => {
    const id = redirectTo ?? (await subscribe(to))
    redirectTo = id
    await client.call('CLIENT', 'TRACKING', 'OFF')
    await client.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'OPTIN')
    // It may have closed meanwhile.
    isArmed = redirectTo === id
  }

  const armIfNeeded = async (): Promise<void> => {
    const isReady = subscriber?.client.status === 'ready' && client.status === 'ready'
    if (mode === 'polling' || isArmed || !isReady) return
    try {
      // One of them may have followed a failover, or a slot of a cluster, before the other.
      if (isSameServer(client, subscriber.client)) await arm(subscriber)
      else subscriber.client.disconnect(true)
    } catch (error) {
      // A connection that broke is opened again by itself, and its id with it; until then lists are looked at.
      const isDenied = isRefusal(error) && !isElsewhere(error) && !/client ID/i.test(error.message)
      if (isDenied) mode = 'polling'
    }
  }

  const look = async (lists: readonly string[]): Promise<number> => {
    if (lists.length === 0) return 0
    if (mode === 'polling') return client.exists(...lists)
    const replies = await client
      .pipeline()
      .call('CLIENT', 'CACHING', 'YES')
      .exists(...lists)
      .exec()
    const [error, count] = replies?.[1] ?? [new Error('no reply')]
    if (error) throw error
    return Number(count)
  }

  return {
    interrupt() {
      isInterrupted = true
      wake?.()
    },
    leave() {
      isLeft = true
      wake?.()
    },
    close() {
      client.off('close', disarm)
      subscriber?.client.off('message', onMessage).off('ready', noteChange).off('close', onSubscriberClosed)
    },
    async wait(lists, timeoutMs, signal) {
      isLeft = false
      if (watched?.lists !== lists || performance.now() - watched.lookedAt >= SAFETY_POLL_MS) {
        watched = undefined
        const changesBefore = changes
        await armIfNeeded()
        const lookedAt = performance.now()
        const isEmpty = (await look(lists)) === 0
        if (!isEmpty || changes !== changesBefore) isInterrupted = true
        else if (isArmed) watched = { lists, lookedAt }
      }
      if (isLeft || isInterrupted || signal.aborted) {
        if (!isLeft) isInterrupted = false
        return
      }
      const longest = watched === undefined ? POLL_MS : watched.lookedAt + SAFETY_POLL_MS - performance.now()
      await new Promise<void>((resolve) => {
        const finish = (): void => {
          clearTimeout(timer)
          signal.removeEventListener('abort', finish)
          wake = undefined
          if (!isLeft) isInterrupted = false
          resolve()
        }
        const timer = setTimeout(finish, Math.max(0, Math.min(timeoutMs, longest)))
        signal.addEventListener('abort', finish, { once: true })
        wake = finish
      })
    },
  }
}
