import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { eventually } from '../../support/eventually.js'
import type { RunningProcess } from '../../support/start-process.js'
import { tempDir } from '../../support/temp-dir.js'
import { redisForTests, type SharedRedis } from '../../support/redis.js'
import { testApp } from '../../support/test-app.js'
import { appModule, lovage, startLovage, type LovageOptions } from './lovage.js'

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

let redis: SharedRedis
beforeAll(async () => {
  redis = await redisForTests()
})
afterAll(() => redis.stop())

/** The environment of a service whose keys nobody else has. */
function service(): Record<string, string> {
  return { REDIS_URL: redis.url, REDIS_KEY_PREFIX: `${redis.prefix}${randomUUID()}:` }
}

/** Run a command that is to be refused: exit code 2, and these lines. */
async function refusedWith(
  args: readonly string[],
  lines: readonly RegExp[],
  options?: LovageOptions,
): Promise<void> {
  const { code, output } = await lovage(args, options)
  expect({ args, code, output }).toEqual({
    args,
    code: 2,
    output: lines.map((line) => expect.stringMatching(line) as unknown),
  })
}

describe('lovage worker', () => {
  it('introduces itself as Celery does, runs tasks, and stops with exit code 0', async () => {
    const env = service()
    const worker = await startLovage(['worker', '-c', '7', '-n', 'w1@%h', '-Q', 'celery,math'], { env })
    const [, node] = await worker.waitForLine(/(w1@\S+) ready\.$/)
    const lines = worker.output().split('\n')
    expect(lines[0]).toMatch(/^w1@\S+ v\d+\.\d+\.\d+$/)
    expect(lines[0]).toContain(node)
    expect(lines).toEqual(
      expect.arrayContaining([
        '[config]',
        '.> app:         lovage',
        `.> transport:   ${redis.url}`,
        `.> results:     ${redis.url}`,
        '.> concurrency: 7 (async)',
        '.> task events: OFF',
        '[queues]',
        '.> celery           exchange=celery(direct) key=celery',
        '.> math             exchange=math(direct) key=math',
        '[tasks]',
        '  . demo.add',
        '  . reports.process',
      ]),
    )

    const call = await lovage(['call', 'demo.add', '-a', '[40, 2]', '--queue', 'math'], { env })
    expect(call).toMatchObject({ code: 0, stdout: [expect.stringMatching(UUID) as unknown] })
    expect(await lovage(['result', call.stdout[0] ?? ''], { env })).toMatchObject({ code: 0, output: ['42'] })

    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })

  it('takes the whole name of a flag, Celery’s pools that run one at a time, and what it has no need of', async () => {
    const flags = ['--pool', 'solo', '--without-gossip', '--without-mingle', '--without-heartbeat']
    const worker = await startLovage(['worker', ...flags, '--loglevel', 'info'], { env: service() })
    await worker.waitForLine(/ready\.$/)
    expect(worker.output()).toContain('.> concurrency: 1 (solo)')
    await worker.stop()
  })

  it('says only what -l asks for', async () => {
    const env = service()
    const worker = await startLovage(['worker', '-l', 'ERROR'], { env })
    await worker.waitForLine(/ {2}\. demo\.fail/)
    const { stdout } = await lovage(['call', 'demo.fail', '-k', '{"message": "loudly"}'], { env })
    await worker.waitForLine(/demo\.fail\[.*raised DemoFailure/)
    expect(worker.output()).not.toContain('ready.')
    expect(stdout).toHaveLength(1)
    await worker.stop()
  })

  it('prints nothing but JSON where the log is to be JSON', async () => {
    const worker = await startLovage(['worker'], { env: { ...service(), LOG_FORMAT: 'json' } })
    await worker.waitForLine(/ready\./)
    for (const line of worker.output().split('\n')) expect(JSON.parse(line)).toHaveProperty('time')
    await worker.stop()
  })

  it('shows no password', async () => {
    const url = redis.url.replace('//', '//:hush@')
    const worker = await startLovage(['-b', url, 'worker'], { env: service() })
    await worker.waitForLine(/ {2}\. demo\.add/)
    expect(worker.output()).toContain('.> transport:   redis://***@')
    expect(worker.output()).not.toContain('hush')
    await worker.kill()
  })
})

describe('lovage worker, with more of Celery’s flags', () => {
  it('drops what waits, leaves queues out, sends periodic tasks, takes settings behind --, and keeps its pid', async () => {
    const directory = await tempDir()
    const prefix = `${redis.prefix}${randomUUID()}:`
    const env = { SCHEDULED_REDIS: redis.url, SCHEDULED_PREFIX: prefix }
    const app = testApp(redis.url, { brokerTransportOptions: { globalKeyprefix: prefix } })
    for (const queue of ['celery', 'slow']) await app.sendTask('scheduled.late', [], {}, { queue })
    const named = [
      '-q',
      '-A',
      appModule('scheduled.js'),
      'worker',
      '-B',
      '--purge',
      '-Q',
      'celery,slow',
      '-X',
      'slow',
    ]
    const flags = ['--disable-prefetch', '-O', 'fair', '-n', 'w@%h', '--pidfile', '%n.pid']
    flags.push('--', 'worker.concurrency=3')
    await writeFile(path.join(directory, 'w.pid'), '999999999\n')
    const worker = await startLovage([...named, ...flags], { env, directory })
    await worker.waitForLine(/Task scheduled\.tick\[.*succeeded/)
    const { pid } = worker
    expect(worker.output()).toContain('warning: --pidfile w.pid is replaced: process 999999999 is gone\n')
    expect(worker.output()).toContain('dropped what waited')
    expect(worker.output()).not.toMatch(/scheduled\.late|\[tasks\]/)
    expect(await app.broker.queueLength('slow')).toBe(1)
    expect(await app.control.inspect({ limit: 1, timeout: 20_000 }).stats()).toEqual({
      [Object.keys(await app.control.ping({ limit: 1, timeout: 20_000 }))[0] ?? '']: expect.objectContaining({
        pool: expect.objectContaining({ 'max-concurrency': 3 }) as unknown,
      }) as unknown,
    })
    expect(await readFile(path.join(directory, 'w.pid'), 'utf8')).toBe(`${pid}\n`)
    const second = await lovage([...named, ...flags], { env, directory })
    expect(second.output).toEqual([`error: w.pid: process ${pid} runs already`])
    expect(second.code).toBe(73)
    const elsewhere = await lovage(['beat', '--pidfile', 'nowhere/b.pid'])
    expect(elsewhere.output).toEqual([expect.stringMatching(/^error: --pidfile nowhere\/b\.pid: ENOENT: /)])
    expect(elsewhere.code).toBe(1)
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
    await expect(readFile(path.join(directory, 'w.pid'))).rejects.toThrow('ENOENT')
  })

  it('hands back at once what runs when it gets SIGQUIT', async () => {
    const env = service()
    const app = testApp(redis.url, { brokerTransportOptions: { globalKeyprefix: env.REDIS_KEY_PREFIX } })
    const worker = await startLovage(['worker'], { env })
    await worker.waitForLine(/ready\.$/)
    await app.sendTask('demo.sleep', [600])
    await worker.waitForLine(/Task demo\.sleep\[.* received/)
    await eventually(async () => Object.values(await app.control.inspect().active()).flat().length === 1)
    worker.signal('SIGQUIT')
    expect(await worker.exit).toEqual({ code: 0, signal: null })
    expect(await app.broker.queueLength('celery')).toBe(1)
  })
})

describe('lovage list bindings and report', () => {
  it('print what is bound, versions and settings', async () => {
    const env = service()
    await lovage(['call', 't', '--queue', 'other'], { env })
    const url = redis.url.replace('//', '//:hush@')
    const [bound, listed, report, json] = await Promise.all([
      lovage(['list', 'bindings', '-Q', 'other'], { env }),
      lovage(['list', 'bindings', '-Q', 'other', '--json'], { env }),
      lovage(['-b', url, 'report'], { env }),
      lovage(['-b', url, 'report', '--json'], { env }),
    ])
    expect(bound.stdout).toEqual(['QUEUE  EXCHANGE  ROUTING KEY', 'other  other     other'])
    expect(JSON.parse(listed.stdout.join(''))).toEqual([
      { queue: 'other', exchange: 'other', routingKey: 'other' },
    ])
    expect(report.stdout.join('\n')).toMatch(
      /software -> lovage:\d.* node:\d[^]*transport:redis results:redis/,
    )
    expect(JSON.parse(json.stdout.join(''))).toMatchObject({
      app: 'lovage',
      settings: { broker_url: redis.url.replace('//', '//***@') },
    })
    expect(`${report.stdout.join()}${json.stdout.join()}`).not.toContain('hush')
  })
})

describe('lovage call and result, beside a worker', () => {
  let env: Record<string, string>
  let worker: RunningProcess
  beforeAll(async () => {
    env = service()
    worker = await startLovage(['worker'], { env, directory: appModule('') })
    await worker.waitForLine(/ready\.$/)
  })
  afterAll(() => worker.stop())

  it('print JSON on demand', async () => {
    const call = await lovage(['call', 'demo.add', '-a', '[40, 2]', '--json'], { env })
    const { id } = JSON.parse(call.stdout.join('')) as { id: string }
    const result = await lovage(['result', id, '--json', '-t', 'demo.add'], { env })
    expect(JSON.parse(result.stdout.join(''))).toEqual({ id, status: 'SUCCESS', result: 42 })
  })

  it('do not start a task before its countdown', async () => {
    const sentAt = Date.now()
    const { stdout } = await lovage(['call', 'demo.add', '-a', '[1, 1]', '--countdown', '1.5'], { env })
    expect(await lovage(['result', stdout[0] ?? ''], { env })).toMatchObject({ output: ['2'] })
    expect(Date.now() - sentAt).toBeGreaterThan(1500)
  })

  it('fail with what the task has raised, and show the traceback when asked', async () => {
    const { stdout } = await lovage(['call', 'demo.fail', '-a', '["no luck"]'], { env })
    const id = stdout[0] ?? ''

    const [failed, described, traceback] = await Promise.all([
      lovage(['result', id], { env }),
      lovage(['result', id, '--json'], { env }),
      lovage(['result', id, '--traceback'], { env }),
    ])
    expect(failed.code).toBe(1)
    expect(failed.output).toEqual([expect.stringMatching(/DemoFailure.*no luck/)])
    expect(described.code).toBe(1)
    expect(JSON.parse(described.stdout.join(''))).toMatchObject({
      id,
      status: 'FAILURE',
      result: { exc_type: 'DemoFailure', exc_message: ['no luck'] },
      traceback: expect.stringContaining('no luck') as string,
    })
    expect(traceback.code).toBe(0)
    expect(traceback.stdout.join('\n')).toMatch(/DemoFailure.*no luck/)
  })
})

describe('lovage, its colours', () => {
  it('are there where they are asked for, and in nothing that is piped', async () => {
    const env = { ...service(), FORCE_COLOR: '1' }
    const bindings = (flags: string[]): ReturnType<typeof lovage> =>
      lovage([...flags, 'list', 'bindings'], { env: { ...service(), FORCE_COLOR: '1' } })
    const [worker, painted, plain] = await Promise.all([
      startLovage(['worker'], { env }),
      bindings([]),
      bindings(['-C']),
    ])
    expect(painted.stdout).toEqual(['\x1b[1mQUEUE  EXCHANGE  ROUTING KEY\x1b[22m'])
    expect(plain.stdout).toEqual(['QUEUE  EXCHANGE  ROUTING KEY'])
    await worker.waitForLine(/ready\./)
    expect(worker.output()).toContain('\x1b[1m[config]\x1b[22m')
    expect(worker.output()).toContain('\x1b[32mINFO')
    const [status, piped] = await Promise.all([
      lovage(['status', '-t', '10'], { env }),
      lovage(['status'], { env: { ...env, FORCE_COLOR: '' } }),
    ])
    expect(status.stdout[0]).toContain(': \x1b[32mOK\x1b[39m')
    expect(piped.output.join()).not.toContain('\x1b')
    await worker.stop()
  })
})

describe('lovage -A', () => {
  it('runs the app of a module, on the broker of -b rather than its own', async () => {
    const directory = appModule('')
    const where = ['-b', redis.url, '--result-backend', redis.url]
    const worker = await startLovage(['-A', 'shop.js', ...where, 'worker', '-Q', redis.prefix], { directory })
    await worker.waitForLine(/ready\.$/)
    expect(worker.output()).toMatch(/\.> app: +shop\n/)
    const named = ['-A', appModule('shop'), ...where]
    const call = await lovage([...named, 'call', 'shop.multiply', '-a', '[6, 7]', '--queue', redis.prefix])
    expect(await lovage([...named, 'result', call.stdout[0] ?? ''])).toMatchObject({
      code: 0,
      output: ['42'],
    })
    await worker.stop()
  })

  it('takes the module and its broker from Celery’s variables, too', async () => {
    const queue = `${redis.prefix}env`
    const env = {
      CELERY_APP: appModule('shop.js'),
      CELERY_BROKER_URL: redis.url,
      CELERY_RESULT_BACKEND: redis.url,
    }
    const call = await lovage(['call', 'shop.multiply', '-a', '[6, 7]', '--queue', queue], { env })
    expect(call.code).toBe(0)
    expect(await testApp(redis.url).broker.queueLength(queue)).toBe(1)
  })

  it('says in one line what is wrong with a module, and where it belongs when it stands behind the command', async () => {
    const refuses = (args: string[], message: RegExp): Promise<void> =>
      refusedWith(args, [message], { directory: appModule('') })
    await Promise.all([
      refuses(['-A', 'nowhere.js', 'worker'], /there is no such file in .*, and no such package/),
      refuses(['-A', 'exports-nothing.js', 'worker'], /exports neither app nor a default/),
      refuses(['-A', 'no-celery.js', 'worker'], /no Celery of this installation/),
      refuses(
        ['-A', 'never.js', 'worker'],
        /-A never\.js: an await at the top level of the module never ends/,
      ),
      refuses(['-A', 'shop.py', 'worker'], /expected a JavaScript or TypeScript module, not one of \.py/),
      refuses(['-A', 'broken.js', 'worker'], /RangeError: no such shelf \(file:.*broken\.js:1:7\)$/),
      refuses(['worker', '-A', 'shop.js'], /stands before the command: lovage -A shop\.js worker/),
    ])
  })
})

describe('lovage beat', () => {
  it('sends what the schedule of an app says, and stops with exit code 0', async () => {
    const prefix = `${redis.prefix}${randomUUID()}:`
    const env = { SCHEDULED_REDIS: redis.url, SCHEDULED_PREFIX: prefix }
    const named = ['-A', appModule('scheduled.js')]
    const worker = await startLovage([...named, 'worker'], { env })
    const beat = await startLovage([...named, 'beat', '-l', 'INFO'], { env })
    await beat.waitForLine(/entry often: scheduled\.tick/)
    await worker.waitForLine(/Task scheduled\.tick\[.*succeeded/)
    expect(await beat.stop()).toEqual({ code: 0, signal: null })
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })
})

describe('lovage call', () => {
  it('sends what it is told to, integers with all their digits', async () => {
    const env = service()
    const app = testApp(redis.url, { brokerTransportOptions: { globalKeyprefix: env.REDIS_KEY_PREFIX } })
    const args = ['-a', '[12345678901234567890]', '-k', '{"b": null}', '--priority', '6', '--queue', 'q']
    const { stdout } = await lovage(['call', 'some.task', ...args, '--expires', '2099-01-01T00:00:00Z'], {
      env,
    })
    await app.broker.ping(5_000)
    const consumer = app.broker.consumer({ queues: ['q'], consumerId: randomUUID() })
    await consumer.start()
    const [delivery] = (await consumer.claim(1)).deliveries
    const envelope = JSON.parse(delivery?.envelope ?? '{}') as {
      body: string
      headers: unknown
      properties: unknown
    }
    expect(envelope).toMatchObject({
      headers: {
        id: stdout[0],
        task: 'some.task',
        expires: expect.stringMatching(/^2099-01-01T00:00:00/) as unknown,
      },
      properties: { priority: 6 },
    })
    expect(Buffer.from(envelope.body, 'base64').toString()).toMatch(
      /^\[\[12345678901234567890\], ?\{"b": ?null\}/,
    )
    await consumer.stop()
  })

  it('fails in one line where no broker answers, as other commands do, which says where and why', async () => {
    const nowhere = 'redis://:hush@127.0.0.1:1/0'
    const failing = [
      ['call', 'demo.add'],
      ['control', 'shutdown'],
      ['result', 'some-id'],
    ]
    const finished = await Promise.all(
      failing.map((args) => lovage(['-b', nowhere, '--result-backend', nowhere, ...args])),
    )
    for (const { code, output } of finished) {
      expect(code).toBe(1)
      const line = /^error: .*redis:\/\/\*\*\*@127\.0\.0\.1:1\/0 .*: connect ECONNREFUSED 127\.0\.0\.1:1/
      expect(output).toEqual([expect.stringMatching(line)])
    }
    expect(finished.map(({ output }) => /; the .* was not sent$/.test(output.join()))).toEqual([
      true,
      true,
      false,
    ])
  })
})

describe('lovage result', () => {
  it('has no traceback of a task that nobody has run', async () => {
    const { code, output } = await lovage(['result', 'unknown', '--traceback'], { env: service() })
    expect(code).toBe(1)
    expect(output).toEqual([expect.stringContaining('its state is PENDING')])
  })
})

describe('lovage purge', () => {
  it('drops what waits in the queues that it is told, once it is told to', async () => {
    const env = service()
    const app = testApp(redis.url, { brokerTransportOptions: { globalKeyprefix: env.REDIS_KEY_PREFIX } })
    for (const queue of ['celery', 'celery', 'reports', 'other']) await app.sendTask('t', [], {}, { queue })

    const answers = ['n\n', '\n']
    for (const refused of await Promise.all(answers.map((input) => lovage(['purge'], { env, input })))) {
      expect(refused.code).toBe(1)
      expect(refused.output.join('\n')).toContain('will remove all tasks from queues: celery, reports.')
    }
    expect(await app.broker.queueLength('celery')).toBe(2)

    expect((await lovage(['purge'], { env, input: 'y\n' })).output.join('\n')).toContain(
      'Purged 3 messages from 2 known task queues.',
    )
    const [named] = await Promise.all([
      lovage(['purge', '-f', '-Q', 'other'], { env }),
      lovage(['call', 't', '--queue', 'celery', '--serializer', 'yaml'], { env }),
    ])
    expect(named).toMatchObject({ code: 0, output: ['Purged 1 message from 1 known task queue.'] })
    const json = await lovage(['purge', '-f', '--json', '-X', 'reports'], { env })
    expect(JSON.parse(json.stdout.join(''))).toMatchObject({
      purged: 1,
      queues: expect.not.arrayContaining(['reports']) as unknown,
    })
    expect(await lovage(['purge', '-f'], { env })).toMatchObject({
      code: 0,
      output: ['No messages purged from 2 queues'],
    })
  })
})

describe('lovage, wrongly used', () => {
  // How each flag is refused: tests/unit/cli.
  it('ends with exit code 2 and one line for each fault', async () => {
    const env = { PORT: 'http', CELERY_TIMEZONE: 'Mars/Base' }
    await Promise.all([
      refusedWith(['worker', '-c', '0'], [/-c.*'0'.*whole number from 1/]),
      refusedWith(['--nonsense'], [/unknown option '--nonsense'/]),
      refusedWith(['-b', 'http://x', 'worker'], [/CELERY_BROKER_URL: /]),
      refusedWith(['wroker'], [/^error: unknown command 'wroker'$/, /^\(Did you mean worker\?\)$/]),
      refusedWith(['worker'], [/CELERY_TIMEZONE/, /PORT/], { env }),
    ])
  })
})

describe('lovage --version and --help', () => {
  it('end with exit code 0', async () => {
    const [version, help] = await Promise.all([lovage(['--version']), lovage(['worker', '--help'])])
    expect(version).toMatchObject({ code: 0, output: [expect.stringMatching(/^\d+\.\d+\.\d+/)] })
    expect(help.code).toBe(0)
    // Accepted only to say where they belong.
    expect(help.output.join('\n')).not.toContain('--app')
  })
})
