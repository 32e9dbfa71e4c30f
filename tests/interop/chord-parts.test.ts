import { describe, expect, it } from 'vitest'
import { createRedisBackend } from '../../src/results/redis-backend.js'
import { formatChordPart, parseChordPart } from '../../src/serialization/chord-part.js'
import { parseEnvelope } from '../../src/serialization/envelope.js'
import { resolveAcceptContent } from '../../src/serialization/serializers.js'
import { decodeTaskMessage, type TaskMessage } from '../../src/serialization/task-message.js'
import { silentLog } from '../../src/log.js'
import { atTestEnd } from '../support/at-test-end.js'
import { celeryGenerations } from '../support/celery-generations.js'
import { eventually } from '../support/eventually.js'
import { startPythonClient, type PythonClient } from '../support/python-client.js'
import { startPythonWorker, type PythonWorker } from '../support/python-worker.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import type { Redis } from 'ioredis'
import type { ChordPart, Chords } from '../../src/results/chords.js'

const acceptContent = resolveAcceptContent(['json'])

/** A part of the message's task, as a worker of Lovage records it. */
function partOf(message: TaskMessage, result: unknown): ChordPart {
  const { id, group = '', groupIndex } = message
  const text = formatChordPart({ taskId: id, status: 'SUCCESS', result })
  return { groupId: group, groupIndex, taskId: id, status: 'SUCCESS', text }
}

interface World {
  readonly redis: Redis
  readonly chords: Chords
  readonly client: PythonClient
  readonly startWorker: () => Promise<PythonWorker>
  /** The messages in a queue, oldest first; they stay there. */
  readonly messages: (queue: string) => Promise<TaskMessage[]>
}

describe.each(
  celeryGenerations.flatMap((generation) => [
    { ...generation, form: 'a sorted set', isChordOrdered: true },
    { ...generation, form: 'a list', isChordOrdered: false },
  ]),
)('a chord in $form, shared with $name', ({ python, isChordOrdered }) => {
  async function start(): Promise<World> {
    const { url } = await startRedis()
    const conf = { result_backend_transport_options: { result_chord_ordered: isChordOrdered } }
    const settings = { broker: url, python, conf }
    const backend = createRedisBackend({ connection: { url }, isChordOrdered, log: silentLog })
    atTestEnd(() => backend.close())
    const client = startPythonClient(settings)
    const redis = redisClient(url)
    return {
      redis,
      chords: backend.chords,
      client,
      startWorker: () => startPythonWorker({ ...settings, pool: 'solo' }),
      async messages(queue) {
        const envelopes = (await redis.lrange(queue, 0, -1)).reverse()
        return envelopes.map((text) => decodeTaskMessage(parseEnvelope(text), { acceptContent }))
      },
    }
  }

  it('row 8: is completed by Python when the first part came from Lovage', async () => {
    const { chords, client, startWorker, messages } = await start()
    const header = `[add.s(1, 2).set(queue='lovage'), add.s(3, 4)]`
    const body = (await client.evaluate(`chord(${header})(echo.s('more')).id`)) as string
    const [message] = await messages('lovage')
    if (message === undefined) throw new Error('no message for Lovage')
    expect(await chords.addParts([partOf(message, { text: 'Zürich', n: [1, null] })])).toEqual(['waiting'])
    await startWorker()
    expect(await client.get(body)).toEqual({
      args: [[{ text: 'Zürich', n: [1, null] }, 7], 'more'],
      kwargs: {},
    })
  })

  it('row 8: is completed by Lovage when the first part came from Python', async () => {
    const { redis, chords, client, startWorker, messages } = await start()
    const header = `[fail.s('bad'), add.s(1, 2).set(queue='lovage'), echo.s('Zürich', 1.5, None)]`
    await client.evaluate(`chord(${header})(xsum.s()).id`)
    const [message] = await messages('lovage')
    if (message?.group === undefined) throw new Error('no message for Lovage')
    const key = `celery-taskset-meta-${message.group}.j`
    const count = (): Promise<number> => (isChordOrdered ? redis.zcard(key) : redis.llen(key))
    await startWorker()
    await eventually(async () => (await count()) === 2)
    expect(await chords.addParts([partOf(message, 3)])).toEqual(['last'])
    expect(await chords.addParts([partOf(message, 'another')])).toEqual(['last'])
    const parts = await chords.parts(message.group)
    const byIndex = isChordOrdered ? parts : [parts[0], parts[2], parts[1]]
    expect(byIndex).toMatchObject([
      { status: 'FAILURE', result: { exc_type: 'ValueError', exc_message: ['bad'] } },
      { taskId: message.id, status: 'SUCCESS', result: 3 },
      { status: 'SUCCESS', result: { args: ['Zürich', 1.5, null], kwargs: {} } },
    ])
    await chords.end(message.group)
    expect(await redis.exists(key, `celery-taskset-meta-${message.group}.s`)).toBe(0)
  })

  it('row 8: counts a task once that Lovage ran again after Python had', async () => {
    const { redis, chords, client, startWorker, messages } = await start()
    const header = `[echo.s('first'), add.s(1, 2).set(queue='lovage')]`
    await client.evaluate(`chord(${header})(xsum.s()).id`)
    const [[byPython], [byLovage]] = [await messages('celery'), await messages('lovage')]
    if (byPython?.group === undefined || byLovage === undefined) throw new Error('a message is missing')
    const key = `celery-taskset-meta-${byPython.group}.j`
    await startWorker()
    await eventually(async () => (await redis.exists(key)) === 1)
    expect(await chords.addParts([partOf(byPython, 'second')])).toEqual(['waiting'])
    expect(await chords.addParts([partOf(byLovage, 3)])).toEqual(['last'])
  })

  // What follows is the same in either form, or does not hold in a list.
  if (!isChordOrdered) return

  it('row 8: counts a task once that Python ran again after Lovage had, with the same result', async () => {
    const { chords, client, startWorker, messages } = await start()
    const header = `[echo.s('Zürich \\x7f', [1, {'a': None}], k={'b': [], 'c': 'd: "e", f'}), add.s(1, 2)]`
    const body = (await client.evaluate(`chord(${header})(echo.s()).id`)) as string
    const [message] = await messages('celery')
    if (message === undefined) throw new Error('a message is missing')
    const { args, kwargs } = message
    expect(await chords.addParts([partOf(message, { args, kwargs })])).toEqual(['waiting'])
    await startWorker()
    expect(await client.get(body)).toEqual({ args: [[{ args, kwargs }, 3]], kwargs: {} })
  })

  it('has parts that both write alike', async () => {
    const { redis, client, startWorker, messages } = await start()
    const values = `'Zürich', '😀', '\\x00\\x1f\\x7f\\u2028', 'a, b: "c"\\\\', 1, -2.5, 1e300, True, None, [], {}`
    const header = `[echo.s(${values}, k=[{'x, y': ':'}]), add.s(1, 2).set(queue='lovage')]`
    await client.evaluate(`chord(${header})(xsum.s()).id`)
    const [message] = await messages('lovage')
    const key = `celery-taskset-meta-${message?.group}.j`
    await startWorker()
    const written = await eventually(async () => (await redis.zrange(key, '0', '-1'))[0] ?? '')
    expect(formatChordPart(parseChordPart(Buffer.from(written)))).toBe(written)
  })

  it('is expected to grow by tasks that Python adds while it runs', async () => {
    const { redis, chords, client, messages } = await start()
    await client.evaluate(`chord([add.s(1, 2).set(queue='lovage')])(xsum.s()).id`)
    const [message] = await messages('lovage')
    if (message?.group === undefined) throw new Error('a message is missing')
    await client.evaluate(`app.backend.add_to_chord('${message.group}', None)`)
    expect(await redis.get(`celery-taskset-meta-${message.group}.t`)).toBe('1')
    expect(await chords.addParts([partOf(message, 3)])).toEqual(['waiting'])
    const added = { ...partOf({ ...message, id: 'added' }, 4), groupIndex: undefined }
    expect(await chords.addParts([added])).toEqual(['last'])
  })
})
