import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lovage, startLovage } from './lovage.js'
import { redisForTests, type SharedRedis } from '../../support/redis.js'
import { testApp } from '../../support/test-app.js'
import { typedApp } from './typed-app.js'

const WITHIN = 60_000
const GET = { timeout: WITHIN }

let redis: SharedRedis
beforeAll(async () => {
  redis = await redisForTests()
})
afterAll(() => redis.stop())

function flags(queue: string): string[] {
  return [
    '-A',
    'shop',
    '-b',
    redis.url,
    '--result-backend',
    redis.url,
    'worker',
    '-Q',
    `${redis.prefix}${queue}`,
  ]
}

describe('lovage -A with TypeScript', () => {
  it.each(['async', 'processes'])('runs it directly where tsx is installed, in the pool %s', async (pool) => {
    const { directory } = await typedApp()
    const worker = await startLovage([...flags(pool), '-P', pool, '-c', '1'], { directory })
    await worker.waitForLine(/ready\.$/, WITHIN)
    const result = await testApp(redis.url).sendTask(
      'shop.price',
      [],
      {},
      {
        queue: `${redis.prefix}${pool}`,
      },
    )
    expect(await result.get(GET)).toBe('1 EUR')
    await worker.stop()
  })

  it('says what to install where it is not', async () => {
    const { directory } = await typedApp([])
    const { code, output } = await lovage(flags('none'), { directory })
    expect(code).toBe(2)
    expect(output).toHaveLength(1)
    // Newer versions of Node.js read some of it.
    if (!('typescript' in process.features)) expect(output[0]).toContain('npm install --save-dev tsx')
  })
})

it('lovage -A says where a syntax error is, be it in what the module imports', async () => {
  const { directory, write } = await typedApp()
  await write('uses.js', "export { price } from './misspelt.js'\n")
  await write('misspelt.js', '// What no parser takes.\nexport const price = = 3\n')
  const { code, output } = await lovage(['-A', 'uses.js', 'worker'], { directory })
  expect(code).toBe(2)
  expect(output).toEqual([
    expect.stringMatching(
      /^error: -A uses\.js: cannot load .*uses\.js: SyntaxError: .* \(file:.*misspelt\.js:2\)$/,
    ),
  ])
})

describe('lovage worker --reload', () => {
  // It starts four times, which takes a while on a busy machine.
  it(
    'restarts when a module changes, finishes what runs before, and waits out a broken one',
    { timeout: 120_000 },
    async () => {
      const { directory, write, writePrice } = await typedApp()
      const app = testApp(redis.url)
      const queue = `${redis.prefix}reload`
      const price = async (): Promise<unknown> =>
        (await app.sendTask('shop.price', [], {}, { queue })).get(GET)
      const worker = await startLovage([...flags('reload'), '--reload'], { directory })
      await worker.waitForLine(/ready\.$/, WITHIN)
      expect(await price()).toBe('1 EUR')

      const running = await app.sendTask('shop.slow', [1], {}, { queue })
      await worker.waitForLine(/Task shop\.slow\[.* received/, WITHIN)
      await writePrice(2)
      await worker.waitForLine(/price\.ts has changed; restarting/, WITHIN)
      // Until it has heard of that, it may take one more.
      await worker.waitForLine(/stopping; a second signal/, WITHIN)
      const later = price()
      expect(await running.get(GET)).toBe('sold at 1')
      expect(await later).toBe('2 EUR')

      await write('price.ts', 'export const price: number = = 3')
      await worker.waitForLine(/the worker has ended \(exit code 2\); it starts again/, WITHIN)
      expect(worker.output()).toMatch(/error: -A shop: cannot load .*shop\.ts: .*price\.ts:1:/)
      const waiting = price()
      await writePrice(4)
      expect(await waiting).toBe('4 EUR')

      // What is no part of it is none of its business.
      await write('other.ts', 'export const other = 1')
      await app.control.broadcast('ping', {}, { reply: true, limit: 1, timeout: WITHIN })
      expect(worker.output().match(/has changed/g)).toHaveLength(3)
      expect(await worker.stop(30_000)).toEqual({ code: 0, signal: null })
      expect(worker.output().match(/ stopped$/gm)).toHaveLength(3)
    },
  )

  it('ends with the worker that is shut down, and refuses at once a module that is not there', async () => {
    const { directory } = await typedApp()
    const missing = await lovage(['-A', 'nowhere', 'worker', '--reload'], { directory })
    expect(missing).toMatchObject({ code: 2, output: [expect.stringContaining('there is no such file')] })
    const worker = await startLovage([...flags('shutdown'), '-n', 'r@reload', '--reload'], { directory })
    await worker.waitForLine(/ready\.$/, WITHIN)
    await testApp(redis.url).control.shutdown({ destination: 'r@reload' })
    expect(await worker.exit).toEqual({ code: 0, signal: null })
  })
})
