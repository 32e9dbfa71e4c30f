import { describe, expect, it } from 'vitest'
import { codeBlocks } from '../../support/code-blocks.js'
import { lovage } from '../cli/lovage.js'
import { redisClient, startRedis } from '../../support/redis-server.js'

const NOWHERE = 'redis://127.0.0.1:1/0'

describe('row 38: lovage acl', () => {
  it('prints the documented user in one line, without a password, and connects to nothing', async () => {
    const env = { REDIS_URL: NOWHERE, REDIS_KEY_PREFIX: 'shop:' }
    const { code: exitCode, output } = await lovage(
      ['acl', 'worker', '--user', 'shop-worker', '-Q', 'celery'],
      { env },
    )
    const documented = codeBlocks('docs/acl.md').find(
      ({ language, code }) => language === 'acl' && code.includes('shop-worker'),
    )
    expect(output).toEqual([documented?.code.trim().replaceAll(/\s+/g, ' ').replace(' >secret', '')])
    expect(exitCode).toBe(0)
  })

  it('prints what Redis takes', async () => {
    const { url } = await startRedis()
    const flags = ['acl', 'producer', '-Q', 'celery,möhre,a*b']
    const { stdout } = await lovage(flags, { env: { REDIS_URL: NOWHERE } })
    const [command = '', ...words] = stdout.join('').split(' ')
    const admin = redisClient(url)
    expect(await admin.call(command, ...words, '>secret')).toBe('OK')

    const client = redisClient(url.replace('//', '//producer:secret@'))
    for (const queue of ['celery', 'möhre', 'a*b']) {
      expect(await client.lpush(`${queue}\x06\x169`, 'message')).toBe(1)
    }
    await expect(client.lpush('axb', 'message')).rejects.toThrow('NOPERM')
  })

  it('prints a user for each Redis, and what database and cluster need', async () => {
    const urls = ['-b', 'redis+cluster://127.0.0.1:1', '--result-backend', 'redis://127.0.0.1:1/3']
    const { stdout } = await lovage([...urls, 'acl', 'producer'])
    expect(stdout).toHaveLength(2)
    expect(stdout[0]).toMatch(/^ACL SETUSER producer reset on ~.*\+cluster\|slots .*\+lpush/)
    expect(stdout[1]).toMatch(/^ACL SETUSER producer reset on ~celery-task-meta-\* .*\+select/)
    expect(stdout[1]).not.toContain('+lpush')
  })

  it.each([[['acl']], [['acl', 'boss']], [['-b', 'memory://', 'acl', 'worker']]])(
    'refuses %j with 2',
    async (args) => {
      expect(await lovage(args)).toMatchObject({ code: 2, stdout: [] })
    },
  )
})
