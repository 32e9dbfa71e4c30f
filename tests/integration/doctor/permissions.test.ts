import { describe, expect, it } from 'vitest'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { complaints, diagnose } from './diagnose.js'

/** A server with a user `shop` that may do this, and its URL for that user. */
async function withUser(...rules: readonly string[]): Promise<string> {
  const { port } = await startRedis({ args: ['--user', 'shop', 'on', '>secret', ...rules] })
  return `redis://shop:secret@127.0.0.1:${port}/0`
}

const EVERYWHERE = ['~*', '&*']

describe('row 38: the user of the URL', () => {
  it('is named, with the roles that it has all for', async () => {
    const { permissions } = await diagnose(await withUser(...EVERYWHERE, '+@all'))
    expect(permissions).toEqual({
      name: 'permissions',
      status: 'ok',
      found: 'user shop has all for producer, worker, beat, api, operator',
    })
  })

  it('lacks commands: the fault names them for the role that was meant', async () => {
    const url = await withUser(...EVERYWHERE, '+@all', '-ltrim', '-zrevrangebyscore')
    expect((await diagnose(url, {}, { role: 'worker' })).permissions).toMatchObject({
      status: 'fault',
      found: expect.stringMatching(
        /user shop is not enough for worker: it may not .*LTRIM celery.*ZREVRANGEBYSCORE unacked_index/,
      ) as string,
      advice: expect.stringContaining('ACL SETUSER') as string,
    })
    expect((await diagnose(url)).permissions).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(
        /has all for producer, beat, api, operator; not for worker: LTRIM celery and 4 more keys and 1 more command$/,
      ) as string,
    })
  })

  it('lacks keys', async () => {
    const url = await withUser(
      '~celery*',
      '~_kombu.binding.*',
      '~lovage.unique.*',
      '~lovage.revoked',
      '&*',
      '+@all',
    )
    expect((await diagnose(url, {}, { role: 'producer' })).permissions).toMatchObject({ status: 'ok' })
    expect((await diagnose(url, {}, { role: 'worker' })).permissions).toMatchObject({
      status: 'fault',
      found: expect.stringContaining('unacked') as string,
    })
  })

  it('lacks keys of the prefix that is set', async () => {
    const url = await withUser('~celery*', '~_kombu.binding.*', '&*', '+@all')
    const settings = { brokerTransportOptions: { globalKeyprefix: 'shop:' } }
    expect((await diagnose(url, settings, { role: 'producer' })).permissions).toMatchObject({
      status: 'fault',
      found: expect.stringContaining('LPUSH shop:celery') as string,
    })
  })

  it('lacks channels', async () => {
    const url = await withUser('~*', '&other-*', '+@all')
    expect((await diagnose(url, {}, { role: 'producer' })).permissions).toMatchObject({
      status: 'fault',
      found: expect.stringContaining('SUBSCRIBE celery-task-meta-') as string,
    })
  })

  it('lacks what all goes on without, and is told what is worse', async () => {
    const url = await withUser(...EVERYWHERE, '+@all', '-client|tracking')
    expect((await diagnose(url, {}, { role: 'worker' })).permissions).toMatchObject({
      status: 'warning',
      advice: expect.stringContaining('once a second') as string,
    })
  })

  it('may not do anything but connect: all is said to be unseen, and that it cannot work', async () => {
    const url = await withUser('+multi', '+discard')
    const diagnosis = await diagnose(url)
    expect(diagnosis.permissions).toMatchObject({ status: 'fault' })
    const others = complaints(diagnosis).filter(
      (line) => !line.startsWith('permissions') && !line.startsWith('persist'),
    )
    expect(others.every((line) => line.endsWith(': unseen'))).toBe(true)
    expect(diagnosis.queues?.found).toBe('not seen: this user may not run LLEN')
    // Nobody can be denied HELLO.
    expect(diagnosis.server).toMatchObject({ status: 'ok' })
  })

  it('may run the commands of a transaction, and none of those that are asked for is carried out', async () => {
    const rules = [...EVERYWHERE, '+@all', '-exec']
    const { port } = await startRedis({ args: ['--user', 'shop', 'on', '>secret', ...rules] })
    const url = `redis://shop:secret@127.0.0.1:${port}/0`
    expect((await diagnose(url, {}, { role: 'operator' })).permissions).toMatchObject({
      status: 'fault',
      found: 'user shop is not enough for operator: it may not EXEC',
    })
    expect(await redisClient(`redis://127.0.0.1:${port}/0`).keys('*')).toEqual([])
  })

  it('may not leave a transaction, so that it is broken off', async () => {
    const { port } = await startRedis({
      args: ['--user', 'shop', 'on', '>secret', ...EVERYWHERE, '+@all', '-discard'],
    })
    const url = `redis://shop:secret@127.0.0.1:${port}/0`
    expect((await diagnose(url)).permissions).toMatchObject({ name: 'permissions' })
    expect(await redisClient(`redis://127.0.0.1:${port}/0`).keys('*')).toEqual([])
  })

  it('may not open a transaction, so that it cannot be seen what else it may', async () => {
    const url = await withUser(...EVERYWHERE, '+@all', '-multi')
    expect((await diagnose(url)).permissions).toMatchObject({
      status: 'unseen',
      found: 'not seen: this user may not run MULTI',
    })
  })

  it('has all where commands that nobody needs are renamed', async () => {
    const renamed = ['CONFIG', 'KEYS', 'FLUSHDB', 'FLUSHALL', 'DEBUG'].flatMap((name) => [
      '--rename-command',
      name,
      '',
    ])
    const { url } = await startRedis({ args: renamed })
    expect((await diagnose(url)).permissions).toMatchObject({ status: 'ok' })
  })
})
