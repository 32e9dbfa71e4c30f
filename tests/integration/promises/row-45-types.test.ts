import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { atTestEnd } from '../../support/at-test-end.js'
import { rawMessage } from '../../support/raw-message.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startApi } from '../../../src/api/start-api.js'
import { testApp } from '../../support/test-app.js'

// What the compiler refuses is in tests/types/tasks.ts; this is for those whom no compiler has seen.
describe('row 45: a schema across the wire', () => {
  const params = z.object({
    report_id: z.string().min(1),
    format: z.enum(['html', 'csv']).default('html'),
    limit: z.number().int().optional(),
  })
  type Params = z.input<typeof params>

  it.each([
    ['of another type', { report_id: 5 }, /report_id: /],
    ['missing', {}, /report_id: /],
    ['not among the values', { report_id: 'r', format: 'pdf' }, /format: /],
    ['out of range', { report_id: 'r', limit: 1.5 }, /limit: /],
  ])('row 45: refuses what is %s, before it is sent and before it is run', async (_, invalid, message) => {
    const { url } = await startRedis()
    const app = testApp(url)
    let runs = 0
    const report = app.task('report', { params }, () => ++runs)
    const observer = redisClient(url)

    await expect(report.delay(invalid as Params)).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
      message: expect.stringMatching(message) as string,
    })
    await expect(report.applyAsync({ args: [invalid as Params] })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    })
    await expect(report.applyAsync({ kwargs: invalid })).rejects.toMatchObject({ code: 'INVALID_PARAMS' })
    expect(() => report.s(invalid as Params)).toThrow(message)
    expect(await observer.keys('*')).toEqual([])

    // As a peer would send it that does not know the schema.
    await using worker = await app.startWorker()
    const result = await app.sendTask('report', [], invalid)
    await expect(result.get({ timeout: 10_000 })).rejects.toMatchObject({
      excType: 'InvalidParamsError',
      message: expect.stringMatching(message) as string,
    })
    expect(runs).toBe(0)
    expect(worker.counts().failed).toBe(1)
  })

  it.each([
    ['a positional argument', { args: [5] }, /report_id: /],
    ['a keyword argument', { kwargs: { report_id: 'r', format: 'pdf' } }, /format: /],
    ['what is missing', {}, /report_id: /],
    ['what the schema does not know', { kwargs: { report_id: 'r', size: 1 } }, /'size'/],
  ])('row 45: over HTTP, refuses %s that does not fit, and sends what fits', async (_, invalid, message) => {
    const { url } = await startRedis()
    const app = testApp(url)
    app.task('report', { params }, ({ report_id }) => report_id)
    const api = await startApi({ app, artifactDir: '/nowhere', port: 0 })
    atTestEnd(() => api.stop(0))
    const observer = redisClient(url)
    const post = (call: object): Promise<Response> =>
      fetch(`${api.url}/api/tasks/report`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(call),
      })

    const refused = await post(invalid)
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({
      error: { code: 'INVALID_PARAMS', details: [expect.stringMatching(message) as string] },
    })
    expect(await observer.keys('*')).toEqual([])

    const taken = await post({ kwargs: { report_id: 'r-1', format: 'csv' } })
    expect(taken.status).toBe(202)
    const { task_id: id } = (await taken.json()) as { readonly task_id: string }
    const waiting = await observer.lrange('celery', 0, -1)
    expect(waiting.map((text) => JSON.parse(text) as unknown)).toMatchObject([
      { headers: { task: 'report', id } },
    ])
  })

  it('row 45: hands the function what the schema makes of the arguments, however they came', async () => {
    const app = testApp('memory://')
    const seen: unknown[] = []
    const report = app.task('report', { params }, (given) => void seen.push(given))
    await using _ = await app.startWorker()
    const positional = rawMessage('report', ['r-2', 'csv'])
    await app.broker.publish({ queue: 'celery', priority: 0, envelope: positional.envelope })
    await app.asyncResult(positional.id).get({ timeout: 10_000 })
    await (await report.delay({ report_id: 'r-1', limit: 3 })).get({ timeout: 10_000 })

    expect(seen).toEqual([
      { report_id: 'r-2', format: 'csv' },
      { report_id: 'r-1', format: 'html', limit: 3 },
    ])
  })

  it('row 45: is there as JSON Schema, for Pydantic and others', () => {
    const app = testApp('memory://')
    app.task('report', { params }, () => 1)
    const options = app.tasks.get('report')?.options
    if (options?.params === undefined) throw new Error('no params')

    expect(z.toJSONSchema(options.params, { io: 'input' })).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        report_id: { type: 'string', minLength: 1 },
        format: { default: 'html', type: 'string', enum: ['html', 'csv'] },
        limit: { type: 'integer' },
      },
      required: ['report_id'],
    })
  })
})
