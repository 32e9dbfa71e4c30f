import { afterAll, beforeAll } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { createRedisBackend, type RedisBackendOptions } from '../../../src/results/redis-backend.js'
import { silentLog } from '../../../src/log.js'
import { startRedis, type RedisServer } from '../../support/redis-server.js'
import type { ResultBackend } from '../../../src/results/result-backend.js'

/** A server for the tests of one file, and result backends for each of them. */
export interface BackendSite {
  /** There from the first test on. */
  readonly server: RedisServer
  /** Closed at the end of the test. @param url - Of the server, unless given. */
  makeBackend(this: void, options?: Partial<RedisBackendOptions>, url?: string): Promise<ResultBackend>
}

/** To be called outside of tests. */
export function backendSite(): BackendSite {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())

  return {
    get server() {
      return server
    },
    async makeBackend(options = {}, url = server.url) {
      const backend = createRedisBackend({ connection: { url }, log: silentLog, ...options })
      atTestEnd(() => backend.close())
      await backend.ping(5000)
      return backend
    },
  }
}
