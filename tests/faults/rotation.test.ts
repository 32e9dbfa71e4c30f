import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { atTestEnd } from '../support/at-test-end.js'
import { recordingLog } from '../support/recording-log.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { say } from '../support/say.js'
import { testApp } from '../support/test-app.js'
import { scaled } from '../support/scale.js'
import type { RedisCredentials } from '../../src/redis/credentials.js'

const SOAK_MS = scaled(8000, 300_000)
const ROTATE_EVERY_MS = 1000
/** After which connections that logged in with a token are closed, as servers of tokens do. */
const TOKEN_LIFE_MS = 4000
/** Promised. */
const SLOWEST_MS = 5000

interface TokenService {
  readonly url: string
  /** How many there have been. */
  readonly rotations: () => number
  readonly provider: () => Promise<RedisCredentials>
}

/** A server that knows each token as a user of its own: whoever logged in with it is cut off when it goes. */
async function startTokenService(): Promise<TokenService> {
  const { url } = await startRedis()
  const admin = redisClient(url)
  await admin.call('ACL', 'SETUSER', 'default', '-@all', '+acl', '+client', '+info')
  let rotations = 0
  let current: RedisCredentials
  const rotate = async (): Promise<void> => {
    const username = `token-${++rotations}`
    await admin.call('ACL', 'SETUSER', username, 'on', '>secret', '~*', '&*', '+@all')
    current = { username, password: 'secret', expiresAt: new Date(Date.now() + TOKEN_LIFE_MS) }
    setTimeout(
      () => void admin.call('ACL', 'DELUSER', username).catch(() => undefined),
      TOKEN_LIFE_MS,
    ).unref()
  }
  await rotate()
  const rotating = setInterval(() => void rotate().catch(() => undefined), ROTATE_EVERY_MS)
  atTestEnd(() => clearInterval(rotating))
  return { url, rotations: () => rotations, provider: () => Promise.resolve(current) }
}

it(
  `row 37: for ${SOAK_MS / 1000} s tokens rotate each second and end after ${TOKEN_LIFE_MS / 1000}, and no task takes long`,
  { timeout: SOAK_MS + 60_000 },
  async () => {
    const { url, provider, rotations } = await startTokenService()
    const log = recordingLog()
    const app = testApp(url, { brokerCredentials: provider, backendCredentials: provider, log })
    const add = app.task('rotation.add', (x: number, y: number) => x + y)
    await using _worker = await app.startWorker()
    const until = performance.now() + SOAK_MS
    let count = 0
    let slowestMs = 0
    while (performance.now() < until) {
      const from = performance.now()
      // Nothing is tried again here: neither sending nor waiting may fail.
      const result = await add.delay(count, 1)
      expect(await result.get({ timeout: 2 * SLOWEST_MS })).toBe(count + 1)
      slowestMs = Math.max(slowestMs, performance.now() - from)
      count++
      await sleep(5)
    }
    say(
      `rotating tokens: ${rotations()} in ${SOAK_MS / 1000} s, ${count} tasks, the slowest took ` +
        `${Math.round(slowestMs)} ms`,
    )
    expect(rotations()).toBeGreaterThan(SOAK_MS / ROTATE_EVERY_MS / 2)
    expect(slowestMs).toBeLessThan(SLOWEST_MS)
    // Not one connection was lost.
    expect(log.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
  },
)
