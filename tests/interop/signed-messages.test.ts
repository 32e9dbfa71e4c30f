import { copyFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { celeryGenerations } from '../support/celery-generations.js'
import { makeSigner, type Signer } from '../support/certificates.js'
import { codeBlocks } from '../support/code-blocks.js'
import { eventually } from '../support/eventually.js'
import { startPythonClient, type PythonClient } from '../support/python-client.js'
import { startPythonWorker } from '../support/python-worker.js'
import { runPython } from '../support/python.js'
import { startRedis } from '../support/redis-server.js'
import { tempDir } from '../support/temp-dir.js'
import { testApp } from '../support/test-app.js'
import type { AppOptions, Celery, RunningWorker } from '../../src/index.js'

const SECRET = 'a secret of more than thirty-two characters'

async function startWorker(app: Celery): Promise<RunningWorker> {
  app.task('shop.add', (x: number, y: number) => x + y)
  return app.startWorker()
}

describe.each(celeryGenerations)('row 48: messages that are signed, with $name', ({ python }) => {
  describe('by certificates', () => {
    let lovage: Signer
    let theirs: Signer
    let store: string
    let securityLayout: 'celery-5.5' | 'celery-5.2'

    beforeAll(async () => {
      ;[lovage, theirs] = await Promise.all([
        makeSigner('/O=Acme/CN=lovage'),
        makeSigner('/O=Acme/CN=python'),
      ])
      const { stdout } = await runPython(['-c', 'import celery; print(celery.VERSION[:2] < (5, 5))'], {
        broker: 'memory://',
        python,
      })
      securityLayout = stdout === 'True' ? 'celery-5.2' : 'celery-5.5'
      store = await tempDir()
      await copyFile(lovage.certificate, path.join(store, 'lovage.pem'))
      await copyFile(theirs.certificate, path.join(store, 'python.pem'))
    })

    const settings = (signer = lovage): AppOptions => ({
      securityKey: signer.key,
      securityCertificate: signer.certificate,
      securityCertStore: `${store}/*.pem`,
      securityLayout,
      taskSerializer: 'auth',
      resultSerializer: 'auth',
      acceptContent: ['auth'],
    })
    const conf = (signer = theirs): Record<string, unknown> => ({
      security_key: signer.key,
      security_certificate: signer.certificate,
      security_cert_store: `${store}/*.pem`,
      task_serializer: 'auth',
      result_serializer: 'auth',
      accept_content: ['auth'],
      event_serializer: 'auth',
    })

    it('run at Lovage, and their results are read by Python', async () => {
      const { url } = await startRedis()
      const app = testApp(url, settings())
      await using worker = await startWorker(app)
      await using client = startPythonClient({ broker: url, python, conf: conf() })
      const id = await client.send('shop.add', { args: [2, 'ü'] })
      expect(await client.get(id)).toBe('2ü')
      expect(worker.counts()).toMatchObject({ succeeded: 1, deadLettered: 0 })
    })

    it('run at Python, and their results are read by Lovage', async () => {
      const { url } = await startRedis()
      const app = testApp(url, settings())
      await using _worker = await startPythonWorker({ broker: url, python, conf: conf(), pool: 'solo' })
      const result = await app.sendTask<number>('pytasks.mul', [6, 7])
      expect(await result.get({ timeout: 30_000 })).toBe(42)
      const failing = await app.sendTask('pytasks.fail', ['sold out'])
      await expect(failing.get({ timeout: 30_000 })).rejects.toMatchObject({ excType: 'ValueError' })
    })

    it('are refused where they are plain, or signed by a stranger', async () => {
      const { url } = await startRedis()
      const app = testApp(url, settings())
      await using worker = await startWorker(app)
      const stranger = await makeSigner('/CN=stranger')
      await using plain = startPythonClient({ broker: url, python })
      await using strange = startPythonClient({ broker: url, python, conf: conf(stranger) })
      const ids = [
        await plain.send('shop.add', { args: [1, 1] }),
        await strange.send('shop.add', { args: [2, 2] }),
      ]
      await eventually(async () => (await app.broker.deadLetters.count()) === 2)
      const letters = await app.broker.deadLetters.list()
      expect(
        letters.map(({ code, envelope }) => [code, ids.findIndex((id) => envelope.includes(id))]),
      ).toEqual(
        expect.arrayContaining([
          ['CONTENT_DISALLOWED', 0],
          ['UNTRUSTED_MESSAGE', 1],
        ]),
      )
      expect(worker.counts()).toMatchObject({ started: 0, deadLettered: 2 })
    })
  })

  describe('with a shared secret', () => {
    const [snippet = { code: '' }] = codeBlocks('docs/security.md').filter(
      ({ language }) => language === 'python',
    )

    async function start(settings: AppOptions = {}): Promise<{
      app: Celery
      worker: RunningWorker
      signing: PythonClient
      plain: PythonClient
      [Symbol.asyncDispose](): Promise<void>
    }> {
      const { url } = await startRedis()
      const app = testApp(url, { messageSecrets: [SECRET], ...settings })
      const worker = await startWorker(app)
      const extraEnv = { MESSAGE_SECRETS: `${SECRET}, another` }
      const signing = startPythonClient({ broker: url, python, extraEnv })
      await signing.evaluate(`exec(${JSON.stringify(snippet.code)}, {})`)
      const plain = startPythonClient({ broker: url, python })
      const dispose = async (): Promise<void> => {
        await Promise.all([worker.stop(), signing.stop(), plain.stop()])
      }
      return { app, worker, signing, plain, [Symbol.asyncDispose]: dispose }
    }

    it('run when Python signed them, whatever their options', async () => {
      await using parts = await start({ acceptContent: ['json', 'msgpack'] })
      const { app, signing } = parts
      const options: Record<string, unknown>[] = [
        {},
        { compression: 'zlib' },
        { serializer: 'msgpack' },
        { countdown: 0.2, expires: 60, retries: 2 },
        { queue: 'celery', priority: 5, headers: { tenant: 'ü' } },
        { root_id: 'r', parent_id: 'p', group_id: 'g', group_index: 1 },
      ]
      const ids = await Promise.all(
        options.map((each, i) => signing.send('shop.add', { args: [i, 'ü'], options: each })),
      )
      const sums = await Promise.all(ids.map((id) => app.asyncResult(id).get({ timeout: 30_000 })))
      expect(sums).toEqual(options.map((_, i) => `${i}ü`))
      expect(await app.broker.deadLetters.count()).toBe(0)
    })

    it('are refused when nobody signed them', async () => {
      await using parts = await start()
      const { app, worker, plain } = parts
      const id = await plain.send('shop.add', { args: [1, 1] })
      await eventually(async () => (await app.broker.deadLetters.count()) === 1)
      const [letter] = await app.broker.deadLetters.list()
      expect(letter).toMatchObject({
        code: 'UNTRUSTED_MESSAGE',
        message: 'the message is not signed: it has no header lovage_signature',
        envelope: expect.stringContaining(id) as string,
      })
      expect(worker.counts().started).toBe(0)
    })

    it('run unsigned where that is allowed', async () => {
      await using parts = await start({ acceptUnsignedMessages: true })
      const id = await parts.plain.send('shop.add', { args: [1, 1] })
      expect(await parts.app.asyncResult(id).get({ timeout: 30_000 })).toBe(2)
    })

    it('are run by Python, which passes over the signature', async () => {
      const { url } = await startRedis()
      const app = testApp(url, { messageSecrets: [SECRET] })
      await using _worker = await startPythonWorker({ broker: url, python, pool: 'solo' })
      const result = await app.sendTask('pytasks.mul', [6, 7])
      expect(await result.get({ timeout: 30_000 })).toBe(42)
    })
  })
})
