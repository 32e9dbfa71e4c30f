import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Celery, chord } from '../../../src/index.js'
import { celeryGenerations } from '../../support/celery-generations.js'
import { eventually } from '../../support/eventually.js'
import { startPythonClient, type PythonClient } from '../../support/python-client.js'
import { startPythonWorker, type PythonWorker } from '../../support/python-worker.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'

const conf = { task_allow_error_cb_on_chord_header: true }

// Celery 5.2 does not have the setting.
describe.each(celeryGenerations.slice(0, 1))(
  'errbacks of a chord where its header has them, too, run by $name',
  ({ python }) => {
    let redis: RedisServer
    let app: Celery
    let worker: PythonWorker
    let client: PythonClient

    beforeAll(async () => {
      redis = await startRedis()
      const { url: broker } = redis
      app = new Celery('interop', { broker, backend: broker, taskAllowErrorCbOnChordHeader: true })
      client = startPythonClient({ broker, python, conf })
      worker = await startPythonWorker({ broker, python, conf })
    })
    afterAll(async () => {
      await Promise.all([worker.kill(), client.stop(), app.close()])
      await redis.stop()
    })

    /** Of the tasks of which an errback was told, in any order. */
    const told = async (key: string, count: number): Promise<string[]> => {
      const notes = redisClient(redis.url)
      await eventually(async () => (await notes.llen(key)) >= count)
      return (await notes.lrange(key, 0, -1)).sort()
    }

    it('are told of the failed part and of the body, if Python sends it', async () => {
      const code = `
canvas = chord([fail.s('a'), add.s(1, 1)], xsum.s())
canvas.link_error(note_error.s('python'))
body = canvas.apply_async()
result = [body.id, body.parent[0].id]`
      const ids = (await client.evaluate(code)) as string[]
      expect(await told('python', 2)).toEqual(ids.sort())
    })

    it('are told of the failed part and of the body, if Lovage sends it', async () => {
      const task = (name: string): ReturnType<Celery['remoteTask']> => app.remoteTask(`pytasks.${name}`)
      const body = await chord([task('fail').s('a'), task('add').s(1, 1)], task('xsum').s())
        .linkError(task('note_error').s('lovage'))
        .applyAsync()
      const { id, parent } = body
      const [part] = (await parent?.children()) ?? []
      expect(await told('lovage', 2)).toEqual([id, part?.id].sort())
    })
  },
)
