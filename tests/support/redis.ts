import { randomUUID } from 'node:crypto'
import { startRedis } from './redis-server.js'

/** A server that other tests may use at the same time, and the part of its keys that is this caller's own. */
export interface SharedRedis extends AsyncDisposable {
  readonly url: string
  /** A key prefix (Celery's `global_keyprefix`) that nobody else has. */
  readonly prefix: string
  stop(): Promise<void>
}

/**
 * A server for tests that neither stop, flush nor configure it: that of `TEST_REDIS_URL` where one is given, else one
 * started for the caller, who stops it.
 */
export async function redisForTests(): Promise<SharedRedis> {
  const prefix = `lovage-test-${randomUUID()}:`
  const url = process.env.TEST_REDIS_URL
  if (url !== undefined && url !== '') return shared(url, prefix, () => Promise.resolve())
  const server = await startRedis()
  return shared(server.url, prefix, async () => {
    await server.stop()
  })
}

function shared(url: string, prefix: string, stop: () => Promise<void>): SharedRedis {
  return { url, prefix, stop, [Symbol.asyncDispose]: stop }
}
