import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { apiForTests } from './api-for-tests.js'
import { Celery } from '../../../src/index.js'

const add = (app: Celery): void => void app.task('math.add', (x: number, y: number) => x + y)
const uuid4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('POST /api/tasks/{name}', () => {
  it('puts the call into its queue and says where to look', async () => {
    const { server, sent } = await apiForTests({ register: add })

    const answer = await server.inject({
      method: 'POST',
      url: '/api/tasks/math.add',
      payload: { args: [1, 2], kwargs: { note: 'ü' } },
    })

    expect(answer.statusCode).toBe(202)
    const body = answer.json<{ task_id: string }>()
    expect(body).toEqual({
      task_id: expect.stringMatching(uuid4) as string,
      state: 'PENDING',
      status_url: `/api/tasks/${body.task_id}`,
    })
    expect(await sent()).toMatchObject([
      { id: body.task_id, task: 'math.add', args: [1, 2], kwargs: { note: 'ü' } },
    ])
  })

  it('takes a request without a body for a call without arguments', async () => {
    const { server, sent } = await apiForTests({ register: add })
    const answer = await server.inject({ method: 'POST', url: '/api/tasks/math.add' })
    expect(answer.statusCode).toBe(202)
    expect(await sent()).toMatchObject([{ args: [], kwargs: {} }])
  })

  it('hands every option over', async () => {
    const { server, sent } = await apiForTests({ register: add })
    const later = { task: 'math.add', args: [1], options: { queue: 'q2' }, immutable: true }

    const answer = await server.inject({
      method: 'POST',
      url: '/api/tasks/math.add',
      payload: {
        task_id: 'mine-1',
        queue: 'special',
        priority: 3,
        eta: '2099-01-02T03:04:05+01:00',
        expires: '2099-01-03T00:00:00Z',
        retries: 2,
        shadow: 'plus',
        ignore_result: true,
        time_limit: 20,
        soft_time_limit: 10,
        headers: { tenant: 'a' },
        link: later,
        link_error: [later],
        chain: [later],
        root_id: 'root-1',
        parent_id: 'parent-1',
        group_id: 'group-1',
        group_index: 4,
      },
    })

    expect(answer.json()).toMatchObject({ task_id: 'mine-1', status_url: '/api/tasks/mine-1' })
    const [message] = await sent('special')
    const signature = {
      task: 'math.add',
      args: [1],
      options: { queue: 'q2' },
      immutable: true,
      subtask_type: null,
    }
    expect(message).toMatchObject({
      id: 'mine-1',
      priority: 3,
      eta: new Date('2099-01-02T02:04:05Z'),
      expires: new Date('2099-01-03T00:00:00Z'),
      retries: 2,
      shadow: 'plus',
      ignoreResult: true,
      hardTimeLimit: 20,
      softTimeLimit: 10,
      headers: { tenant: 'a' },
      callbacks: [signature],
      errbacks: [signature],
      chain: [signature],
      rootId: 'root-1',
      parentId: 'parent-1',
      group: 'group-1',
      groupIndex: 4,
    })
  })

  it('takes countdown and expires as seconds from now', async () => {
    const { server, sent } = await apiForTests({ register: add })
    const before = Date.now()
    await server.inject({
      method: 'POST',
      url: '/api/tasks/math.add',
      payload: { countdown: 60, expires: 120 },
    })
    const after = Date.now()

    const [message] = await sent()
    expect(message?.eta?.getTime()).toBeGreaterThanOrEqual(before + 60_000)
    expect(message?.eta?.getTime()).toBeLessThanOrEqual(after + 60_000)
    expect(message?.expires?.getTime()).toBeGreaterThanOrEqual(before + 120_000)
    expect(message?.expires?.getTime()).toBeLessThanOrEqual(after + 120_000)
  })

  it('keeps all digits of integers', async () => {
    const { server, sent } = await apiForTests({ register: add })
    await server.inject({
      method: 'POST',
      url: '/api/tasks/math.add',
      headers: { 'content-type': 'application/json' },
      payload: '{"args": [12345678901234567890]}',
    })
    expect(await sent()).toMatchObject([{ args: [12345678901234567890n] }])
  })

  it('sends a unique call once, or answers 409 with the id of the other, as the call or else the task says', async () => {
    const { server, sent } = await apiForTests({ register: add })
    const send = (unique: unknown) =>
      server.inject({ method: 'POST', url: '/api/tasks/math.add', payload: { args: [1, 2], unique } })
    const first = (await send({ key: 'daily', ttl: 60 })).json<{ task_id: string }>()
    const same = await send({ key: 'daily' })
    expect(same.statusCode).toBe(202)
    expect(same.json()).toEqual(first)
    const refused = await send({ key: 'daily', on_conflict: 'error' })
    expect(refused.statusCode).toBe(409)
    expect(refused.json()).toMatchObject({
      error: { code: 'UNIQUE_CONFLICT', details: { task_id: first.task_id } },
    })
    for (const other of [{ key: 'weekly' }, true, false, false])
      expect((await send(other)).json()).not.toEqual(first)
    expect(await sent()).toHaveLength(5)
  })

  it.each([
    ['daily', 'body.unique', 'expected true, false, or an object of key, ttl, until, on_conflict'],
    [{ ttl: 0 }, 'body.unique.ttl', 'Too small: expected number to be >0'],
    [{ key: '' }, 'body.unique.key', 'Too small: expected string to have >=1 characters'],
    [{ on_conflict: 'ignore' }, 'body.unique.on_conflict', /one of "drop"\|"replace"\|"error"/],
    [{ onConflict: 'drop' }, 'body.unique.onConflict', 'unknown member'],
  ])('refuses what cannot be unique: %j', async (unique, where, message) => {
    const { server, sent } = await apiForTests({ register: add })
    const answer = await server.inject({
      method: 'POST',
      url: '/api/tasks/math.add',
      payload: { unique },
    })
    expect(answer.statusCode).toBe(400)
    expect(answer.json<{ error: { details: unknown } }>().error.details).toEqual([
      { path: where, message: expect.stringMatching(message) as string },
    ])
    expect(await sent()).toEqual([])
  })

  it('tells all faults at once, and what an unknown member may have meant', async () => {
    const { server, sent } = await apiForTests({ register: add })

    const answer = await server.inject({
      method: 'POST',
      url: '/api/tasks/math.add',
      payload: { arg: [1], priority: 12, countdown: 'soon', eta: 'tomorrow', link: [{ args: [] }] },
    })

    expect(answer.statusCode).toBe(400)
    const { error } = answer.json<{ error: { code: string; details: { path: string; message: string }[] } }>()
    expect(error.code).toBe('INVALID_REQUEST')
    expect(error.details.map(({ path }) => path).sort()).toEqual([
      'body.arg',
      'body.countdown',
      'body.eta',
      'body.link[0].task',
      'body.priority',
    ])
    expect(error.details).toContainEqual({ path: 'body.arg', message: 'unknown member; did you mean args?' })
    expect(await sent()).toEqual([])
  })

  it('refuses countdown and eta together', async () => {
    const { server } = await apiForTests({ register: add })
    const answer = await server.inject({
      method: 'POST',
      url: '/api/tasks/math.add',
      payload: { countdown: 1, eta: '2099-01-01T00:00:00Z' },
    })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ error: { details: [{ path: 'body.eta' }] } })
  })

  it('refuses a soft time limit above the hard one', async () => {
    const { server, sent } = await apiForTests({ register: add })
    const call = (payload: object) =>
      server.inject({ method: 'POST', url: '/api/tasks/math.add', payload: { args: [1, 2], ...payload } })

    const late = await call({ time_limit: 10, soft_time_limit: 20 })
    expect(late.statusCode).toBe(400)
    const message = 'expected at most the time_limit, 10 s, got 20'
    expect(late.json()).toMatchObject({ error: { details: [{ path: 'body.soft_time_limit', message }] } })
    expect(await sent()).toEqual([])
    expect((await call({ time_limit: 10, soft_time_limit: 10 })).statusCode).toBe(202)
  })

  it('checks the arguments of a registered task with params before anything is sent', async () => {
    const { server, sent } = await apiForTests({
      register: (app) =>
        void app.task('greet', { params: z.object({ name: z.string() }) }, ({ name }) => name),
    })
    const call = (payload: object) => server.inject({ method: 'POST', url: '/api/tasks/greet', payload })

    const wrongType = await call({ kwargs: { name: 7 } })
    expect(wrongType.statusCode).toBe(400)
    expect(wrongType.json()).toMatchObject({
      error: { code: 'INVALID_PARAMS', details: [expect.stringContaining('name: ')] },
    })
    const unknown = await call({ kwargs: { name: 'a', nme: 'b' } })
    expect(unknown.statusCode).toBe(400)
    expect(unknown.json()).toMatchObject({
      error: { code: 'INVALID_PARAMS', details: ["greet() got an unexpected keyword argument 'nme'"] },
    })
    expect(await sent()).toEqual([])
    expect((await call({ args: ['a'] })).statusCode).toBe(202)
  })

  it('answers 404 for a task that is not allowed, with the name that may have been meant', async () => {
    const { server, sent } = await apiForTests({ register: add })
    const answer = await server.inject({ method: 'POST', url: '/api/tasks/math.ad' })
    expect(answer.statusCode).toBe(404)
    expect(answer.json()).toMatchObject({
      error: {
        code: 'TASK_NOT_ALLOWED',
        message: expect.stringContaining('did you mean "math.add"?') as string,
      },
    })
    expect(await sent()).toEqual([])
  })

  it.each(['link', 'link_error', 'chain', 'chord'])(
    'does not let a task that is not allowed in by %s',
    async (member) => {
      const { server, sent } = await apiForTests({ register: add })
      const signature = { task: 'secret.wipe' }
      const answer = await server.inject({
        method: 'POST',
        url: '/api/tasks/math.add',
        payload: { [member]: member === 'chord' ? signature : [signature] },
      })
      expect(answer.statusCode).toBe(404)
      expect(answer.json()).toMatchObject({
        error: { message: expect.stringContaining('secret.wipe') as string },
      })
      expect(await sent()).toEqual([])
    },
  )

  it("sends tasks that only others implement where the operator's list has them", async () => {
    const { server, sent } = await apiForTests({ allowedTasks: ['pyapp.tasks.*', 'exact.name'] })
    const statusOf = async (name: string) =>
      (await server.inject({ method: 'POST', url: `/api/tasks/${name}` })).statusCode

    expect(await statusOf('pyapp.tasks.mul')).toBe(202)
    expect(await statusOf('exact.name')).toBe(202)
    expect(await statusOf('exactxname')).toBe(404)
    expect(await statusOf('other.pyapp.tasks.mul')).toBe(404)
    expect(await sent()).toMatchObject([{ task: 'pyapp.tasks.mul' }, { task: 'exact.name' }])
  })

  it('answers 400 for a value that the serializer refuses', async () => {
    const { server } = await apiForTests({ register: add })
    const answer = await server.inject({
      method: 'POST',
      url: '/api/tasks/math.add',
      headers: { 'content-type': 'application/json' },
      payload: '{"args": [NaN]}',
    })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ error: { message: expect.stringContaining('args[0]') as string } })
  })

  it('answers 503 when the broker does not take the message, and says whether it may have', async () => {
    const { app, server } = await apiForTests({ register: add })
    await app.broker.close()
    const answer = await server.inject({ method: 'POST', url: '/api/tasks/math.add' })
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toMatch(/^\d+$/)
    expect(answer.json()).toMatchObject({
      error: { code: 'BROKER_CLOSED', details: { may_have_been_sent: false } },
    })
  })
})

describe('GET /api/tasks/{id}', () => {
  const nothing = {
    name: null,
    ready: false,
    successful: false,
    result: null,
    error: null,
    traceback: null,
    progress: null,
    date_done: null,
    retries: null,
    children: [],
    parent_id: null,
    group_id: null,
  }

  it('says PENDING of an unknown id, as Celery does', async () => {
    const { server } = await apiForTests()
    const answer = await server.inject({ url: '/api/tasks/never-seen' })
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({ ...nothing, task_id: 'never-seen', state: 'PENDING' })
  })

  it('gives the result of a success', async () => {
    const { server, store } = await apiForTests()
    const dateDone = new Date('2026-11-21T08:00:00.000Z')
    await store({ taskId: 't', status: 'SUCCESS', result: { sum: 3 }, dateDone, groupId: 'g', parentId: 'p' })
    expect((await server.inject({ url: '/api/tasks/t' })).json()).toEqual({
      ...nothing,
      task_id: 't',
      state: 'SUCCESS',
      ready: true,
      successful: true,
      result: { sum: 3 },
      date_done: '2026-11-21T08:00:00.000Z',
      group_id: 'g',
      parent_id: 'p',
    })
  })

  it('gives the error of a failure, and no result', async () => {
    const { server, store } = await apiForTests()
    const result = { exc_type: 'ValueError', exc_message: ['no such thing'], exc_module: 'builtins' }
    await store({ taskId: 't', status: 'FAILURE', result, traceback: 'Traceback ...', dateDone: new Date(0) })
    expect((await server.inject({ url: '/api/tasks/t' })).json()).toMatchObject({
      state: 'FAILURE',
      ready: true,
      successful: false,
      result: null,
      error: { type: 'ValueError', message: 'no such thing', module: 'builtins' },
      traceback: 'Traceback ...',
    })
  })

  it('gives the progress of a task under way', async () => {
    const { server, store } = await apiForTests()
    await store({ taskId: 't', status: 'PROGRESS', result: { current: 3, total: 10 } })
    expect((await server.inject({ url: '/api/tasks/t' })).json()).toMatchObject({
      state: 'PROGRESS',
      ready: false,
      result: null,
      progress: { current: 3, total: 10 },
    })
  })

  it('writes large integers with all digits, bytes in base64 and dates in ISO 8601', async () => {
    const { server, store } = await apiForTests()
    const result = {
      big: 12345678901234567890n,
      bytes: Buffer.from([0, 255]),
      at: new Date('2026-01-01T00:00:00Z'),
    }
    await store({ taskId: 't', status: 'SUCCESS', result, dateDone: new Date(0) })
    const { body } = await server.inject({ url: '/api/tasks/t' })
    expect(body).toContain('"big":12345678901234567890')
    expect(body).toContain('"bytes":"AP8="')
    expect(body).toContain('"at":"2026-01-01T00:00:00.000Z"')
  })

  it('waits for the end with ?wait', async () => {
    const { app, server, store } = await apiForTests()
    const wait = vi.spyOn(app.backend, 'wait')
    const answer = server.inject({ url: '/api/tasks/t?wait=60' })
    await vi.waitFor(() => expect(wait).toHaveBeenCalled())
    await store({ taskId: 't', status: 'STARTED', result: null })
    await store({ taskId: 't', status: 'SUCCESS', result: 42, dateDone: new Date(0) })
    expect((await answer).json()).toMatchObject({ state: 'SUCCESS', result: 42 })
  })

  it('answers with what there is when the wait is over', async () => {
    const { server, store } = await apiForTests()
    await store({ taskId: 't', status: 'STARTED', result: null })
    const answer = await server.inject({ url: '/api/tasks/t?wait=0.05' })
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ state: 'STARTED', ready: false })
  })

  it('answers those who wait when the server is to close', async () => {
    const { app, server } = await apiForTests()
    const wait = vi.spyOn(app.backend, 'wait')
    const answer = server.inject({ url: '/api/tasks/t?wait=60' })
    await vi.waitFor(() => expect(wait).toHaveBeenCalled())
    await server.close()
    expect((await answer).json()).toMatchObject({ state: 'PENDING' })
  })

  it.each(['61', '-1', 'soon'])('refuses to wait %s seconds', async (wait) => {
    const { server } = await apiForTests()
    const answer = await server.inject({ url: `/api/tasks/t?wait=${wait}` })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ error: { details: [{ path: 'querystring.wait' }] } })
  })

  it('answers 501 where the service keeps no results', async () => {
    const { server } = await apiForTests({ app: new Celery('test', { broker: 'memory://' }) })
    const answer = await server.inject({ url: '/api/tasks/t' })
    expect(answer.statusCode).toBe(501)
    expect(answer.json()).toMatchObject({ error: { code: 'RESULT_BACKEND_DISABLED' } })
  })
})

describe('GET /api/tasks/{id}/events', () => {
  it('ends at once for a task that has ended', async () => {
    const { server, store } = await apiForTests()
    await store({ taskId: 't', status: 'SUCCESS', result: 1, dateDone: new Date(0) })
    const { body } = await server.inject({ url: '/api/tasks/t/events' })
    expect(body.match(/^event: .*$/gm)).toEqual(['event: state', 'event: end'])
  })
})

describe('DELETE /api/tasks/{id}', () => {
  it('revokes the task, and says where to look', async () => {
    const { server, app } = await apiForTests({ register: add })
    await using worker = await app.startWorker({ hostname: 'w@here' })
    const answer = await server.inject({ method: 'DELETE', url: '/api/tasks/t-1?terminate=true' })
    expect(answer.statusCode).toBe(202)
    expect(answer.json()).toEqual({ task_id: 't-1', status_url: '/api/tasks/t-1' })
    await vi.waitFor(async () => {
      expect(await app.control.inspect().revoked()).toEqual({ [worker.hostname]: ['t-1'] })
    })
    expect(
      (await server.inject({ method: 'DELETE', url: '/api/tasks/t-1?terminate=maybe' })).statusCode,
    ).toBe(400)
  })
})
