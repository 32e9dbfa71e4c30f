import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Celery } from '../../../src/index.js'
import { formatResultMeta } from '../../../src/serialization/result-meta.js'
import { startApi, type RunningApi } from '../../../src/api/start-api.js'
import type { WaitOptions } from '../../../src/results/result-backend.js'

async function apiOverHttp(): Promise<{
  app: Celery
  api: RunningApi
  succeed: (taskId: string) => Promise<void>
}> {
  const app = new Celery('test', { broker: 'memory://', backend: 'memory://' })
  const api = await startApi({ app, artifactDir: '/nowhere', port: 0 })
  onTestFinished(async () => {
    await api.stop(0)
    await app.close()
  })
  const succeed = (taskId: string) => {
    const text = formatResultMeta({ taskId, status: 'SUCCESS', result: 42, dateDone: new Date() })
    return app.backend.store([{ taskId, text, expiresSeconds: 60 }])
  }
  return { app, api, succeed }
}

/** Lets a test know the options of each wait, and when it has begun. */
function watchWaits({ backend }: Celery): { begun: () => Promise<WaitOptions> } {
  const wait = vi.spyOn(backend, 'wait')
  return {
    async begun() {
      await vi.waitFor(() => expect(wait).toHaveBeenCalled())
      return wait.mock.lastCall?.[1] ?? {}
    },
  }
}

describe('GET /api/tasks/{id}?wait', () => {
  it('answers as soon as the task has ended', async () => {
    const { app, api, succeed } = await apiOverHttp()
    const waits = watchWaits(app)
    const answer = fetch(`${api.url}/api/tasks/t?wait=60`)
    await waits.begun()
    await succeed('t')
    expect(await (await answer).json()).toMatchObject({ state: 'SUCCESS', result: 42 })
  })

  it('stops waiting when the client goes away', async () => {
    const { app, api } = await apiOverHttp()
    const waits = watchWaits(app)
    const client = new AbortController()
    const answer = fetch(`${api.url}/api/tasks/t?wait=60`, { signal: client.signal })
    const { signal } = await waits.begun()
    expect(signal?.aborted).toBe(false)

    client.abort()

    await expect(answer).rejects.toThrow()
    await vi.waitFor(() => expect(signal?.aborted).toBe(true))
  })

  it('is answered when the server stops', async () => {
    const { app, api } = await apiOverHttp()
    const waits = watchWaits(app)
    const answer = fetch(`${api.url}/api/tasks/t?wait=60`)
    await waits.begun()
    const stopped = api.stop()
    expect(await (await answer).json()).toMatchObject({ state: 'PENDING' })
    await stopped
    await expect(fetch(`${api.url}/healthz`)).rejects.toThrow()
  })
})

describe('GET /api/tasks/{id}/events', () => {
  const eventsOf = async function* (response: Response): AsyncGenerator<[string, { state: string }]> {
    let text = ''
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? []
        text = text.slice(end + 2)
        if (name !== undefined && data !== undefined) yield [name, JSON.parse(data) as { state: string }]
      }
    }
  }

  it('tells the state now, every change, and the end', async () => {
    const { app, api, succeed } = await apiOverHttp()
    const response = await fetch(`${api.url}/api/tasks/t/events`)
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
    const events = eventsOf(response)

    expect((await events.next()).value).toMatchObject(['state', { state: 'PENDING' }])
    const progress = formatResultMeta({ taskId: 't', status: 'PROGRESS', result: { current: 1 } })
    await app.backend.store([{ taskId: 't', text: progress, expiresSeconds: 60 }])
    expect((await events.next()).value).toMatchObject([
      'state',
      { state: 'PROGRESS', progress: { current: 1 } },
    ])
    await succeed('t')
    expect((await events.next()).value).toMatchObject(['state', { state: 'SUCCESS', result: 42 }])
    expect((await events.next()).value).toMatchObject(['end', { state: 'SUCCESS' }])
    expect((await events.next()).done).toBe(true)
  })

  it('lets go of the result when the client goes away', async () => {
    const { app, api } = await apiOverHttp()
    const updates = vi.spyOn(app.backend, 'updates')
    const client = new AbortController()
    const response = await fetch(`${api.url}/api/tasks/t/events`, { signal: client.signal })
    await eventsOf(response).next()
    const signal = updates.mock.lastCall?.[1]?.signal
    client.abort()
    await vi.waitFor(() => expect(signal?.aborted).toBe(true))
  })

  it('ends when the server stops', async () => {
    const { api } = await apiOverHttp()
    const response = await fetch(`${api.url}/api/tasks/t/events`)
    const stopped = api.stop()
    const names: string[] = []
    for await (const [name] of eventsOf(response)) names.push(name)
    expect(names).toEqual(['state'])
    await stopped
  })
})

describe('the server', () => {
  it('answers what is no HTTP with an error of the usual form', async () => {
    const { api } = await apiOverHttp()
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
    socket.write('hello there\r\n\r\n')
    const text = String(((await once(socket, 'data')) as [Buffer])[0])
    socket.destroy()
    expect(text).toMatch(/^HTTP\/1\.1 400 /)
    expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { code: 'BAD_REQUEST' } })
  })

  it('refuses a request that names no host', async () => {
    const { api } = await apiOverHttp()
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
    socket.write('GET /metrics HTTP/1.0\r\n\r\n')
    const text = String(((await once(socket, 'data')) as [Buffer])[0])
    socket.destroy()
    expect(text).toMatch(/^HTTP\/1\.1 403 /)
  })

  it('says which port is in use', async () => {
    const { app, api } = await apiOverHttp()
    const port = Number(new URL(api.url).port)
    await expect(startApi({ app, artifactDir: '/nowhere', port })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: `port ${port} of 127.0.0.1 is in use; set PORT to another`,
    })
  })
})
