import { isElsewhere, isRefusal } from '../redis/script.js'
import { inOneWrite, isSameServer } from '../redis/connect.js'
import type { BrokerKeys } from './keys.js'
import type { Log } from '../log.js'
import type { Redis } from 'ioredis'

/**
 * Hands a consumer that waits the next message of one list, without the round trip of a claim: the server moves it, with
 * the blocking command BLMOVE, to the list `lovage.handed.<consumer>`. There it stays until it is recorded as unacked,
 * which the consumer does at once; should it die first, whoever finds its lease over does (`upkeep.ts`).
 *
 * Where that cannot be had (denied by an ACL, or a server before 6.2), a consumer hears of messages by `wake-up.ts` only.
 * docs/decisions/0001-waiting-for-work.md weighs both.
 */
export interface HandOver {
  /** Whether it can be asked now. */
  isReady(): boolean
  /** Ask for the next message of a list. One at a time. */
  ask(list: string): Asking
  /**
   * Whether something may have been handed over that nobody here knows of; asked once for each suspicion. Where that is
   * since the connection broke, the server is told to hand over nothing more for it.
   *
   * @throws as Redis' commands; the suspicion stays.
   */
  withdrawLost(): Promise<boolean>
  /** Something may have been handed over that is not known. */
  suspect(): void
}

export interface Asking {
  /** Undefined where nothing came while it was asked. Never rejects. */
  readonly answer: Promise<HandedOver | undefined>
  /** Ask no longer. A message may have been handed over already; the answer comes in any case. */
  end(): void
}

export interface HandedOver {
  readonly envelope: string
  /** Whether more messages were in the list then. */
  readonly hasMore: boolean
}

/** A request is made anew that often, and goes unnoticed with its connection for so long at most. */
const LONGEST_MS = 5000
/** After a refusal that may pass, such as of a server out of memory. */
const PAUSE_MS = 1000
/** The end of a request can overtake the request. */
const END_AGAIN_MS = 5

export interface HandOverOptions {
  /** Ends requests. */
  readonly client: Redis
  /** Blocks; used for this only. */
  readonly asker: Redis
  readonly keys: BrokerKeys
  readonly consumerId: string
  readonly leaseMs: number
  /** Told each time that it can be asked again. */
  readonly onReady: () => void
  readonly log: Log
}

export function createHandOver(options: HandOverOptions): HandOver {
  const { client, asker, keys, consumerId, leaseMs, log } = options
  const handed = keys.handed(consumerId)
  // Over before the lease is, so that nothing is handed to a consumer that was found dead, and before the silence is taken
  // for a connection that broke.
  const blockSeconds = Math.min(LONGEST_MS, leaseMs / 3, (asker.options.socketTimeout ?? Infinity) / 2) / 1000
  let clientId: number | undefined
  /** Of the connection that broke. */
  let lostId: number | undefined
  let mayHoldUnknown = false
  let isDenied = false
  let pausedUntil = -Infinity

  const deny = (error: Error): void => {
    isDenied = true
    log.info(
      { err: error },
      'an idle worker hears of messages a little later: the server cannot hand them over',
    )
  }
  const unblock = (id: number): Promise<unknown> => client.call('CLIENT', 'UNBLOCK', String(id))

  const introduce = async (): Promise<void> => {
    try {
      const id = Number(await asker.call('CLIENT', 'ID'))
      // Whoever may not end a request must not make one: a stop would have to wait for it.
      await asker.call('CLIENT', 'UNBLOCK', String(id))
      clientId = id
      options.onReady()
    } catch (error) {
      if (isForGood(error)) deny(error)
    }
  }
  const forget = (): void => {
    if (clientId !== undefined) lostId = clientId
    clientId = undefined
  }
  asker.on('ready', () => void introduce())
  asker.on('close', forget)
  if (asker.status === 'ready') void introduce()

  const ask = async (list: string): Promise<HandedOver | undefined> => {
    const leaseEnd = (Date.now() + leaseMs) / 1000
    const [, envelope, length] = await inOneWrite(asker, () =>
      Promise.all([
        // Nothing is handed to one without a lease, or nobody would look for it.
        asker.zadd(keys.leases, 'NX', leaseEnd.toFixed(6), consumerId).catch(() => undefined),
        asker.blmove(list, handed, 'RIGHT', 'LEFT', blockSeconds),
        asker.llen(list).catch(() => 0),
      ]),
    )
    return envelope === null ? undefined : { envelope, hasMore: length > 0 }
  }

  const noteFailure = (error: unknown): undefined => {
    if (!isRefusal(error)) mayHoldUnknown = true
    else if (isForGood(error)) deny(error)
    else pausedUntil = performance.now() + PAUSE_MS
    return undefined
  }

  return {
    isReady: () =>
      !isDenied &&
      clientId !== undefined &&
      asker.status === 'ready' &&
      client.status === 'ready' &&
      performance.now() >= pausedUntil &&
      // After a failover, or the move of a slot, one may still be with the old server.
      isSameServer(client, asker),

    ask(list) {
      const id = clientId
      let isAnswered = false
      const answer = ask(list)
        .catch(noteFailure)
        .finally(() => {
          isAnswered = true
        })
      const endOnce = async (): Promise<void> => {
        if (isAnswered || id === undefined) return
        try {
          await unblock(id)
          if (!isAnswered) setTimeout(() => void endOnce(), END_AGAIN_MS)
        } catch {
          // Its own connection ends it, and the answer says that something may have been lost.
          asker.disconnect(true)
        }
      }
      return { answer, end: () => void endOnce() }
    },

    async withdrawLost() {
      if (!mayHoldUnknown) return false
      if (lostId !== undefined) {
        await unblock(lostId)
        lostId = undefined
      }
      mayHoldUnknown = false
      return true
    },

    suspect() {
      mayHoldUnknown = true
    },
  }
}

/** A refusal that no other time or server will take back. */
function isForGood(error: unknown): error is Error {
  return isRefusal(error) && !isElsewhere(error) && FOR_GOOD.test(error.message)
}

const FOR_GOOD = /^(?:NOPERM|ERR unknown|ERR Unknown|ERR wrong number)/
