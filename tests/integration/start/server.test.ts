import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../support/free-port.js'
import { startService } from './process-tree.js'

const IN_MEMORY = { CELERY_BROKER_URL: 'memory://' }

describe('node dist/server.js', () => {
  it('listens where it is told, and ends with 0 when it is asked to', async () => {
    const { process, url } = await startService({ program: 'server', env: IN_MEMORY })
    await process.waitForLine(new RegExp(`listening on ${url}`))
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    expect(await process.stop()).toEqual({ code: 0, signal: null })
  })

  it('ends with 2 and a line for each fault of its environment', async () => {
    const env = { ...IN_MEMORY, PORT: 'http', LOG_LEVEL: 'loud' }
    const { process } = await startService({ program: 'server', env })
    expect(await process.exit).toEqual({ code: 2, signal: null })
    await process.drained
    expect(process.output().split('\n')).toEqual([
      expect.stringMatching(/^PORT: .*"http"/),
      expect.stringMatching(/^LOG_LEVEL: .*"loud"/),
    ])
  })

  it('ends with 1 and says so when its port is in use', async () => {
    const first = await startService({ program: 'server', env: IN_MEMORY })
    await first.process.waitForLine(/listening/)
    const { port } = new URL(first.url)
    const second = await startService({ program: 'server', env: { ...IN_MEMORY, PORT: port } })
    expect(await second.process.exit).toEqual({ code: 1, signal: null })
    await second.process.drained
    expect(second.process.output()).toBe(`port ${port} of 127.0.0.1 is in use; set PORT to another`)
    await first.process.stop()
  })

  it('comes up without Redis, and is not ready', async () => {
    const env = { CELERY_BROKER_URL: `redis://127.0.0.1:${await freePort()}/0` }
    const { process, url } = await startService({ program: 'server', env })
    await process.waitForLine(/listening/)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    expect((await fetch(`${url}/readiness`)).status).toBe(503)
    expect(await process.stop()).toEqual({ code: 0, signal: null })
  })

  it('finishes what is under way on the first signal, and ends at once on the second', async () => {
    const { process, url } = await startService({ program: 'server', env: IN_MEMORY })
    await process.waitForLine(/listening/)
    const { port } = new URL(url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    // The request is never finished.
    socket.write('POST /api/tasks/demo.add HTTP/1.1\r\nhost: localhost\r\n')
    socket.write('content-type: application/json\r\ncontent-length: 100\r\n\r\n{')
    // The server has taken the request when it has answered one that came after it.
    await fetch(`${url}/healthz`)

    process.signal('SIGTERM')
    await process.waitForLine(/stopping/)
    process.signal('SIGTERM')

    expect(await process.exit).toEqual({ code: 143, signal: null })
    socket.destroy()
  })

  it('lets callers send what the operator has named', async () => {
    const env = { ...IN_MEMORY, API_ALLOWED_TASKS: 'pyapp.*', API_TOKENS: 'secret-token' }
    const { process, url } = await startService({ program: 'server', env })
    await process.waitForLine(/listening/)
    const post = (name: string, headers: Record<string, string>) =>
      fetch(`${url}/api/tasks/${name}`, { method: 'POST', headers })
    const headers = { authorization: 'Bearer secret-token' }
    expect((await post('pyapp.tasks.mul', headers)).status).toBe(202)
    expect((await post('demo.add', headers)).status).toBe(202)
    expect((await post('other.task', headers)).status).toBe(404)
    expect((await post('pyapp.tasks.mul', {})).status).toBe(401)
    await process.stop()
    expect(process.output()).not.toContain('secret-token')
  })
})
