import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { readdir, readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { processReport } from '../../../src/tasks/reports/process-report.js'
import type {
  ReportProgress,
  ReportRequest,
  ReportSummary,
} from '../../../src/tasks/reports/report-request.js'
import { atTestEnd } from '../../support/at-test-end.js'
import { tempDir } from '../../support/temp-dir.js'

const NEVER = new AbortController().signal

/** Serves on loopback; returns the URL of its root. */
async function serve(listener: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  atTestEnd(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server }
}

async function make(
  request: Partial<ReportRequest> & { source: string },
  signal = NEVER,
  progress: ReportProgress[] = [],
): Promise<ReportSummary> {
  const artifactDir = await tempDir()
  try {
    return await processReport(
      {
        reportId: 'r-1',
        format: 'json',
        artifactDir,
        allowedDirs: [],
        allowPrivateSources: true,
        ...request,
      },
      { onProgress: (each) => void progress.push(each), signal },
    )
  } catch (error) {
    expect(await readdir(artifactDir)).toEqual([])
    throw error
  }
}

it('reads a CSV that comes in pieces, of unknown length', async () => {
  const { url } = await serve((_, response) => {
    response.writeHead(200, { 'content-type': 'text/csv' })
    response.write('city,price\nOs')
    setImmediate(() => response.end('lo,3\nOslo,4\n'))
  })
  const progress: ReportProgress[] = []
  const summary = await make({ source: `${url}a.csv?token=secret` }, NEVER, progress)

  expect(summary).toMatchObject({ rows: 2, columns: 2 })
  expect(progress).toEqual([
    { current: 0, total: 0, rows: 0 },
    { current: 25, total: 25, rows: 2 },
  ])
})

it('keeps credentials and query of the URL out of the report', async () => {
  const { url } = await serve((request, response) => {
    // user:pass
    expect(request.headers.authorization).toBe('Basic dXNlcjpwYXNz')
    response.end('a,b\n1,2\n')
  })
  const artifactDir = await tempDir()
  const source = `${url.replace('http://', 'http://user:pass@')}a.csv?token=secret`
  await make({ source, artifactDir, format: 'html' })
  expect(await readFile(`${artifactDir}/r-1.html`, 'utf8')).not.toMatch(/user|pass\b|secret/)
})

it('refuses private and loopback addresses, however they are written, without a request', async () => {
  let requests = 0
  const { url } = await serve((_, response) => {
    requests++
    response.end('a,b\n1,2\n')
  })
  const port = new URL(url).port
  for (const host of [
    '127.0.0.1',
    'localhost',
    '127.1',
    '0x7f000001',
    '2130706433',
    '[::ffff:127.0.0.1]',
    '0.0.0.0',
  ]) {
    await expect(
      make({ source: `http://${host}:${port}/`, allowPrivateSources: false }),
      host,
    ).rejects.toMatchObject({
      code: 'REPORT_SOURCE_NOT_ALLOWED',
    })
  }
  for (const source of [
    'http://169.254.169.254/latest/meta-data/',
    'https://10.0.0.1/a.csv',
    'http://[::1]/',
  ]) {
    await expect(make({ source, allowPrivateSources: false }), source).rejects.toMatchObject({
      code: 'REPORT_SOURCE_NOT_ALLOWED',
    })
  }
  expect(requests).toBe(0)
})

it('refuses redirects', async () => {
  const { url } = await serve((request, response) => {
    if (request.url === '/') response.writeHead(302, { location: '/a.csv' }).end()
    else response.end('a,b\n1,2\n')
  })
  await expect(make({ source: url })).rejects.toMatchObject({ code: 'REPORT_SOURCE_NOT_ALLOWED' })
})

it.each([
  [404, 'REPORT_SOURCE_NOT_READABLE'],
  [403, 'REPORT_SOURCE_NOT_READABLE'],
  [204, 'REPORT_SOURCE_NOT_READABLE'],
  [429, 'REPORT_SOURCE_UNAVAILABLE'],
  [503, 'REPORT_SOURCE_UNAVAILABLE'],
])('takes status %d for %s', async (status, code) => {
  const { url } = await serve((_, response) => response.writeHead(status).end())
  await expect(make({ source: url })).rejects.toMatchObject({ code })
})

it('refuses a page in place of a table', async () => {
  const { url } = await serve((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<!doctype html>\n<p>Log in')
  })
  await expect(make({ source: url })).rejects.toMatchObject({ code: 'REPORT_SOURCE_NOT_READABLE' })
})

it('refuses more than the allowed bytes, announced or not', async () => {
  const announced = await serve((_, response) =>
    response.writeHead(200, { 'content-length': 2_000 }).end('x'.repeat(2_000)),
  )
  await expect(make({ source: announced.url, maxSourceBytes: 1_999 })).rejects.toMatchObject({
    code: 'REPORT_SOURCE_TOO_LARGE',
  })
  const endless = await serve((_, response) => {
    const more = (): void => {
      while (response.write('a,b\n'.repeat(10_000)));
      response.once('drain', more)
    }
    more()
  })
  await expect(make({ source: endless.url, maxSourceBytes: 1_000_000 })).rejects.toMatchObject({
    code: 'REPORT_SOURCE_TOO_LARGE',
  })
})

it('makes no report of half a source', async () => {
  const { url } = await serve((_, response) => {
    response.writeHead(200, { 'content-length': 1_000 })
    response.write('city,price\nOslo,3\n', () => response.destroy())
  })
  await expect(make({ source: url })).rejects.toMatchObject({ code: 'REPORT_SOURCE_UNAVAILABLE' })
})

it('says when nobody answers', async () => {
  const { url, server } = await serve(() => undefined)
  server.close()
  await expect(make({ source: url })).rejects.toMatchObject({ code: 'REPORT_SOURCE_UNAVAILABLE' })
  await expect(
    make({ source: 'http://no-such-host.invalid/', allowPrivateSources: false }),
  ).rejects.toMatchObject({
    code: 'REPORT_SOURCE_UNAVAILABLE',
  })
})

it('ends with the reason of the signal while it waits for the server', async () => {
  const abort = new AbortController()
  const reason = new Error('revoked')
  const silent = await serve(() => {
    abort.abort(reason)
  })
  await expect(make({ source: silent.url }, abort.signal)).rejects.toBe(reason)

  const midway = new AbortController()
  const stalling = await serve((_, response) => {
    response.write('a,b\n', () => {
      midway.abort(reason)
    })
  })
  await expect(make({ source: stalling.url }, midway.signal)).rejects.toBe(reason)
})
