import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { apiForTests, type TestApi } from './api-for-tests.js'
import { tempDir } from '../../support/temp-dir.js'
import { z } from 'zod'
import type { Celery } from '../../../src/index.js'

const register = (app: Celery): void => {
  app.task(
    'reports.process',
    {
      queue: 'reports',
      params: z.object({
        report_id: z.string(),
        source: z.string(),
        format: z.enum(['html', 'csv', 'json']).default('html'),
        group_by: z.string().nullable().default(null),
        metrics: z
          .union([z.array(z.string()), z.record(z.string(), z.array(z.enum(['sum', 'mean'])))])
          .nullish(),
      }),
    },
    () => undefined,
  )
}

interface Field {
  readonly name: string
  readonly value: string
  readonly filename?: string
}

const BOUNDARY = 'x-boundary-x'

function form(...fields: Field[]): { headers: Record<string, string>; payload: string } {
  const parts = fields.map(({ name, value, filename }) => {
    const file = filename === undefined ? '' : `; filename="${filename}"\r\ncontent-type: text/csv`
    return `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n${value}\r\n`
  })
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    payload: `${parts.join('')}--${BOUNDARY}--\r\n`,
  }
}

async function reportsForTests(): Promise<
  TestApi & { readonly artifactDir: string; readonly uploads: () => Promise<string[]> }
> {
  const artifactDir = await tempDir()
  const api = await apiForTests({ register, artifactDir })
  const uploads = () => readdir(path.join(artifactDir, 'uploads')).catch(() => [])
  return { ...api, artifactDir, uploads }
}

describe('POST /api/reports', () => {
  it('sends the task for a CSV somewhere else', async () => {
    const { server, sent } = await reportsForTests()
    const answer = await server.inject({
      method: 'POST',
      url: '/api/reports',
      payload: {
        csv_url: 'https://example.org/a.csv',
        format: 'json',
        group_by: 'region',
        metrics: ['price'],
      },
    })
    expect(answer.statusCode).toBe(202)
    const { report_id: id } = answer.json<{ report_id: string }>()
    expect(answer.json()).toEqual({
      report_id: id,
      task_id: id,
      state: 'PENDING',
      status_url: `/api/reports/${id}`,
      download_url: `/api/reports/${id}/download`,
    })
    expect(await sent('reports')).toMatchObject([
      {
        id,
        task: 'reports.process',
        args: [],
        kwargs: {
          report_id: id,
          source: 'https://example.org/a.csv',
          format: 'json',
          group_by: 'region',
          metrics: ['price'],
        },
      },
    ])
  })

  it('keeps an upload where workers read it', async () => {
    const { server, sent, artifactDir } = await reportsForTests()
    const csv = 'region,price\nnorth,1\n'
    const answer = await server.inject({
      method: 'POST',
      url: '/api/reports',
      ...form(
        { name: 'report_id', value: 'june' },
        { name: 'file', value: csv, filename: '../../etc/passwd' },
        { name: 'metrics', value: 'price, amount' },
      ),
    })
    expect(answer.json()).toMatchObject({ report_id: 'june' })
    const [message] = await sent('reports')
    expect(message).toMatchObject({ id: 'june', kwargs: { report_id: 'june', metrics: ['price', 'amount'] } })
    const source = message?.kwargs.source as string
    expect(path.dirname(path.dirname(source))).toBe(path.join(artifactDir, 'uploads'))
    expect(path.basename(source)).toBe('passwd.csv')
    expect(await readFile(source, 'utf8')).toBe(csv)
  })

  it.each([
    ['Umsätze (Mai) 2024.csv', 'Umsätze (Mai) 2024.csv'],
    ['C:\\Users\\ann\\sales.tsv', 'sales.tsv'],
    ['..', 'upload.csv'],
    ['.-rf $(x);*.csv', 'rf _(x)__.csv'],
    [`${'𝒳é'.repeat(100)}.csv`, `${'𝒳é'.repeat(25)}.csv`],
  ])('keeps an upload %j under the name that the report shows: %j', async (filename, expected) => {
    const { server, sent } = await reportsForTests()
    await server.inject({
      method: 'POST',
      url: '/api/reports',
      ...form({ name: 'file', value: 'a\n1\n', filename }),
    })
    const [message] = await sent('reports')
    expect(path.basename(message?.kwargs.source as string)).toBe(expected)
  })

  it('takes metrics of an upload as JSON, too', async () => {
    const { server, sent } = await reportsForTests()
    await server.inject({
      method: 'POST',
      url: '/api/reports',
      ...form(
        { name: 'metrics', value: '{"price": ["sum"]}' },
        { name: 'file', value: 'a\n1\n', filename: 'a.csv' },
      ),
    })
    expect(await sent('reports')).toMatchObject([{ kwargs: { metrics: { price: ['sum'] } } }])
  })

  it.each([
    ['a private scheme', { csv_url: 'file:///etc/passwd' }, 'body.csv_url'],
    ['no URL', {}, 'body.csv_url'],
    ['a slip', { csv_url: 'https://example.org/a.csv', groupby: 'a' }, 'body.groupby'],
    ['an unknown format', { csv_url: 'https://example.org/a.csv', format: 'pdf' }, 'body.format'],
    ['an id that is a path', { csv_url: 'https://example.org/a.csv', report_id: '../x' }, 'body.report_id'],
  ])('refuses %s', async (_what, payload, at) => {
    const { server, sent } = await reportsForTests()
    const answer = await server.inject({ method: 'POST', url: '/api/reports', payload })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ error: { code: 'INVALID_REQUEST', details: [{ path: at }] } })
    expect(await sent('reports')).toEqual([])
  })

  it('refuses what the task would refuse', async () => {
    const { server, sent } = await reportsForTests()
    const payload = { csv_url: 'https://example.org/a.csv', metrics: { price: ['average'] } }
    const answer = await server.inject({ method: 'POST', url: '/api/reports', payload })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ error: { code: 'INVALID_PARAMS' } })
    expect(await sent('reports')).toEqual([])
  })

  const file = { name: 'file', value: 'a\n1\n', filename: 'a.csv' }
  it.each([
    ['without a file', [{ name: 'format', value: 'csv' }], 'body.file'],
    ['with two files', [file, file], 'body.file'],
    ['with a file of another name', [file, { ...file, name: 'other' }], 'body.other'],
    [
      'with a field given twice',
      [file, { name: 'format', value: 'csv' }, { name: 'format', value: 'json' }],
      'body.format',
    ],
    ['with an unknown field', [file, { name: 'groupby', value: 'a' }], 'body.groupby'],
    ['with metrics that are not JSON', [file, { name: 'metrics', value: '{price' }], 'body.metrics'],
  ])('refuses a form %s and keeps nothing of it', async (_what, fields, at) => {
    const { server, sent, uploads } = await reportsForTests()
    const answer = await server.inject({ method: 'POST', url: '/api/reports', ...form(...fields) })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ error: { details: [{ path: at }] } })
    expect(await sent('reports')).toEqual([])
    expect(await uploads()).toEqual([])
  })

  it('answers 413 for a file over 10 MiB and keeps nothing of it', async () => {
    const { server, uploads } = await reportsForTests()
    const value = 'x'.repeat(10 * 1024 ** 2 + 1)
    const answer = await server.inject({ method: 'POST', url: '/api/reports', ...form({ ...file, value }) })
    expect(answer.statusCode).toBe(413)
    expect(answer.json()).toMatchObject({ error: { code: 'BODY_TOO_LARGE' } })
    expect(await uploads()).toEqual([])
  })

  it('takes a file of 10 MiB', async () => {
    const { server, uploads } = await reportsForTests()
    const value = 'x'.repeat(10 * 1024 ** 2)
    const answer = await server.inject({ method: 'POST', url: '/api/reports', ...form({ ...file, value }) })
    expect(answer.statusCode).toBe(202)
    expect(await uploads()).toHaveLength(1)
  })

  it('keeps nothing of an upload whose task cannot be sent', async () => {
    const { app, server, uploads } = await reportsForTests()
    await app.broker.close()
    const answer = await server.inject({ method: 'POST', url: '/api/reports', ...form(file) })
    expect(answer.statusCode).toBe(503)
    expect(await uploads()).toEqual([])
  })

  it('answers 404 where this service makes no reports', async () => {
    const { server } = await apiForTests()
    const payload = { csv_url: 'https://example.org/a.csv' }
    expect((await server.inject({ method: 'POST', url: '/api/reports', payload })).statusCode).toBe(404)
  })
})

describe('GET /api/reports/{id}', () => {
  it('tells the progress', async () => {
    const { server, store } = await reportsForTests()
    await store({ taskId: 'r', status: 'PROGRESS', result: { current: 5, total: 10, rows: 2 } })
    expect((await server.inject({ url: '/api/reports/r' })).json()).toEqual({
      report_id: 'r',
      task_id: 'r',
      state: 'PROGRESS',
      ready: false,
      progress: { current: 5, total: 10, rows: 2 },
      summary: null,
      error: null,
      date_done: null,
      download_url: null,
    })
  })

  it('tells where the finished report is', async () => {
    const { server, store } = await reportsForTests()
    const result = { report_id: 'r', format: 'csv', file: 'r.csv', rows: 2 }
    await store({ taskId: 'r', status: 'SUCCESS', result, dateDone: new Date(0) })
    expect((await server.inject({ url: '/api/reports/r' })).json()).toMatchObject({
      state: 'SUCCESS',
      summary: result,
      download_url: '/api/reports/r/download',
    })
  })
})

describe('GET /api/reports/{id}/download', () => {
  const finish = ({ store }: TestApi, file: string, format = 'csv') =>
    store({ taskId: 'r', status: 'SUCCESS', result: { report_id: 'r', format, file }, dateDone: new Date(0) })

  it.each([
    ['csv', 'text/csv; charset=utf-8', 'attachment'],
    ['json', 'application/json; charset=utf-8', 'attachment'],
    ['html', 'text/html; charset=utf-8', 'inline'],
  ])('gives the finished %s', async (format, type, disposition) => {
    const api = await reportsForTests()
    await writeFile(path.join(api.artifactDir, `r.${format}`), 'ünïcode')
    await finish(api, `r.${format}`, format)
    const { statusCode, headers, body } = await api.server.inject({ url: '/api/reports/r/download' })
    expect(statusCode).toBe(200)
    expect(body).toBe('ünïcode')
    expect(headers).toMatchObject({
      'content-type': type,
      'content-length': String(Buffer.byteLength('ünïcode')),
      'content-disposition': `${disposition}; filename="r.${format}"`,
      'content-security-policy': expect.stringContaining('sandbox') as string,
    })
  })

  it('answers 404 where nothing is known of it', async () => {
    const { server } = await reportsForTests()
    const answer = await server.inject({ url: '/api/reports/r/download' })
    expect(answer.statusCode).toBe(404)
    expect(answer.json()).toMatchObject({ error: { code: 'REPORT_NOT_FOUND' } })
  })

  it('answers 409 while it is being made', async () => {
    const { server, store } = await reportsForTests()
    await store({ taskId: 'r', status: 'PROGRESS', result: {} })
    const answer = await server.inject({ url: '/api/reports/r/download' })
    expect(answer.statusCode).toBe(409)
    expect(answer.json()).toMatchObject({ error: { code: 'REPORT_NOT_READY' } })
  })

  it('answers 409 with the reason where it has failed', async () => {
    const { server, store } = await reportsForTests()
    const result = { exc_type: 'UnknownColumnError', exc_message: ['no such column'], exc_module: 'lovage' }
    await store({ taskId: 'r', status: 'FAILURE', result, dateDone: new Date(0) })
    const answer = await server.inject({ url: '/api/reports/r/download' })
    expect(answer.statusCode).toBe(409)
    expect(answer.json()).toMatchObject({
      error: { code: 'REPORT_FAILED', message: expect.stringContaining('no such column') as string },
    })
  })

  it('answers 410 where the file is gone', async () => {
    const api = await reportsForTests()
    await finish(api, 'r.csv')
    const answer = await api.server.inject({ url: '/api/reports/r/download' })
    expect(answer.statusCode).toBe(410)
    expect(answer.json()).toMatchObject({ error: { code: 'REPORT_GONE' } })
  })

  it.each(['../secret.csv', '/etc/passwd', 'folder/r.csv', '..', '.hidden', 'uploads'])(
    'does not give %s, which a forged result may name',
    async (file) => {
      const api = await reportsForTests()
      await mkdir(path.join(api.artifactDir, 'folder'))
      await mkdir(path.join(api.artifactDir, 'uploads'))
      await writeFile(path.join(api.artifactDir, 'folder', 'r.csv'), 'inner')
      await writeFile(path.join(api.artifactDir, '.hidden'), 'hidden')
      await finish(api, file)
      expect((await api.server.inject({ url: '/api/reports/r/download' })).statusCode).toBe(410)
    },
  )

  it('does not follow a link out of the folder', async () => {
    const api = await reportsForTests()
    await symlink('/etc/hostname', path.join(api.artifactDir, 'r.csv'))
    await finish(api, 'r.csv')
    expect((await api.server.inject({ url: '/api/reports/r/download' })).statusCode).toBe(410)
  })

  it('answers 404 for a task that is no report', async () => {
    const { server, store } = await reportsForTests()
    await store({ taskId: 'r', status: 'SUCCESS', result: 42, dateDone: new Date(0) })
    expect((await server.inject({ url: '/api/reports/r/download' })).statusCode).toBe(404)
  })
})
