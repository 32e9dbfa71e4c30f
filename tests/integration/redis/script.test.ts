import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { closeRedis, openRedis, ready, type RedisClient } from '../../../src/redis/connect.js'
import { isReply, loadScript, type Script } from '../../../src/redis/script.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { tempDir } from '../../support/temp-dir.js'

async function setup(lua: string): Promise<{ script: Script; client: RedisClient; url: string }> {
  const file = path.join(await tempDir(), 'script.lua')
  await writeFile(file, lua)
  const { url } = await startRedis()
  const client = openRedis({ url }, 'test')
  onTestFinished(() => closeRedis(client))
  await ready(client)
  return { script: loadScript(pathToFileURL(file)), client, url }
}

it('runs on a server that does not know it, and again on one that forgot it', async () => {
  const { script, client, url } = await setup('return { KEYS[1], ARGV[1], ARGV[2] }')
  expect(await script.run(client, ['k'], ['a', 1])).toEqual(['k', 'a', '1'])
  expect(await redisClient(url).script('EXISTS', script.sha1)).toEqual([1])
  await redisClient(url).script('FLUSH')
  expect(await script.run(client, ['k'], ['b', 2])).toEqual(['k', 'b', '2'])
})

it('sends the text only once', async () => {
  const { script, client, url } = await setup('return 1')
  for (let i = 0; i < 3; i += 1) await script.run(client, [], [])
  const stats = await redisClient(url).info('commandstats')
  expect(stats).toMatch(/cmdstat_eval:calls=1,/)
  expect(stats).toMatch(/cmdstat_evalsha:calls=3,/)
})

it('passes bytes through untouched, both ways', async () => {
  const { script, client, url } = await setup(
    "redis.call('SET', KEYS[1], ARGV[1]) return { redis.call('GET', KEYS[1]) }",
  )
  const bytes = Buffer.from([0, 255, 128, 10])
  expect(await script.runBuffer(client, ['k'], [bytes])).toEqual([bytes])
  expect(await script.runBuffer(client, ['k'], [bytes])).toEqual([bytes])
  expect(await redisClient(url).getBuffer('k')).toEqual(bytes)
})

it("tells a script's own error by its first word", async () => {
  const { script, client } = await setup("return redis.error_reply('UNREADABLE queue')")
  const error: unknown = await script.run(client, [], []).catch((reason: unknown) => reason)
  expect(isReply(error, 'UNREADABLE')).toBe(true)
  expect(isReply(error, 'UNREAD')).toBe(false)
  expect(isReply(error, 'NOSCRIPT')).toBe(false)
  expect(isReply(new Error('UNREADABLE queue'), 'UNREADABLE')).toBe(false)
})

it('does not run a script a second time because of an error in it', async () => {
  const { script, client, url } = await setup("redis.call('INCR', KEYS[1]) return redis.error_reply('OOPS')")
  await expect(script.run(client, ['count'], [])).rejects.toThrow('OOPS')
  await expect(script.run(client, ['count'], [])).rejects.toThrow('OOPS')
  expect(await redisClient(url).get('count')).toBe('2')
})
