import { Redis } from 'ioredis'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { redisForTests, type SharedRedis } from '../../support/redis.js'

/** A server for all tests of a file, from the first of them to the last. */
export interface RedisOfFile {
  readonly url: string
  readonly redis: Redis
  /** A key prefix for one test; what it wrote under it goes when it ends. */
  ownPrefix(): string
}

export function redisOfFile(): RedisOfFile {
  let server: SharedRedis
  let redis: Redis
  let count = 0
  beforeAll(async () => {
    server = await redisForTests()
    redis = new Redis(server.url)
  })
  afterAll(async () => {
    await redis.quit()
    await server.stop()
  })
  return {
    get url() {
      return server.url
    },
    get redis() {
      return redis
    },
    ownPrefix() {
      count += 1
      const prefix = `${server.prefix}${count}:`
      onTestFinished(async () => {
        const keys = await redis.keys(`${prefix}*`)
        if (keys.length > 0) await redis.del(keys)
      })
      return prefix
    },
  }
}
