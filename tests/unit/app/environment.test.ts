import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { EnvironmentError, loadDotEnv, readEnvironment } from '../../../src/app/environment.js'
import { resolveSettings } from '../../../src/app/settings.js'

type Variables = Record<string, string>

function faultsOf(env: Variables): readonly string[] {
  try {
    readEnvironment(env)
  } catch (error) {
    if (error instanceof EnvironmentError) return error.faults
    throw error
  }
  throw new Error('the environment was accepted')
}

const urls = (env: Variables): unknown[] => {
  const { broker, backend } = readEnvironment(env).settings
  return [broker, backend]
}

describe('readEnvironment', () => {
  it('needs no variable', () => {
    const environment = readEnvironment({})
    expect(environment).toMatchObject({
      api: {
        host: '127.0.0.1',
        port: 8000,
        tokens: [],
        rateLimits: { isEnabled: true, perMinute: 20, perHour: 200 },
      },
      artifactDir: '.lovage/artifacts',
      sourceDirs: ['data'],
      log: { level: 'info', format: 'json' },
    })
    expect(resolveSettings(environment.settings)).toEqual(resolveSettings({}))
  })

  it.each<[what: string, env: Variables, broker: string | undefined, backend: string | undefined]>([
    ['both from REDIS_URL', { REDIS_URL: 'redis://h' }, 'redis://h', 'redis://h'],
    [
      'from the variables of Celery first',
      { REDIS_URL: 'redis://h', CELERY_BROKER_URL: 'redis://b', CELERY_RESULT_BACKEND: 'redis://r' },
      'redis://b',
      'redis://r',
    ],
    [
      'the rest from REDIS_URL',
      { REDIS_URL: 'redis://h', CELERY_BROKER_URL: 'redis://b' },
      'redis://b',
      'redis://h',
    ],
    ['results where the messages are', { CELERY_BROKER_URL: 'redis://b' }, 'redis://b', 'redis://b'],
    [
      'no backend on demand',
      { REDIS_URL: 'redis://h', CELERY_RESULT_BACKEND: 'disabled' },
      'redis://h',
      undefined,
    ],
    ['empty as unset', { CELERY_BROKER_URL: ' ', REDIS_URL: 'redis://h' }, 'redis://h', 'redis://h'],
    [
      'parts, the password encoded',
      { REDIS_HOST: 'h', REDIS_PORT: '6380', REDIS_USERNAME: 'u', REDIS_PASSWORD: 'p@:/?#', REDIS_DB: '2' },
      'redis://u:p%40%3A%2F%3F%23@h:6380/2',
      'redis://u:p%40%3A%2F%3F%23@h:6380/2',
    ],
    ['a URL before parts', { REDIS_URL: 'redis://h', REDIS_HOST: 'x' }, 'redis://h', 'redis://h'],
    [
      'an endpoint with TLS',
      { REDIS_ENDPOINT: 'h:6390', REDIS_SSL: 'yes' },
      'rediss://h:6390/0',
      'rediss://h:6390/0',
    ],
    ['an IPv6 host', { REDIS_HOST: '::1' }, 'redis://[::1]:6379/0', 'redis://[::1]:6379/0'],
    [
      'a password alone',
      { REDIS_PASSWORD: 'p' },
      'redis://:p@localhost:6379/0',
      'redis://:p@localhost:6379/0',
    ],
    [
      'variables within',
      { CELERY_BROKER_URL: '${REDIS_URL}', REDIS_URL: 'redis://${MY_HOST}/1', MY_HOST: 'h' },
      'redis://h/1',
      'redis://h/1',
    ],
  ])('takes URLs: %s', (_what, env, broker, backend) => {
    expect(urls(env)).toEqual([broker, backend])
  })

  it.each<[env: Variables, tls: object | undefined]>([
    [{ REDIS_URL: 'rediss://h', REDIS_SSL_CERT_REQS: 'none' }, { sslCertReqs: 'none' }],
    [{ REDIS_URL: 'rediss://h', REDIS_SSL_CERT_REQS: 'CERT_OPTIONAL' }, { sslCertReqs: 'optional' }],
    [
      {
        REDIS_HOST: 'h',
        REDIS_SSL: '1',
        REDIS_SSL_CA_CERTS: '/ca',
        REDIS_SSL_CERTFILE: '/c',
        REDIS_SSL_KEYFILE: '/k',
      },
      { sslCaCerts: '/ca', sslCertfile: '/c', sslKeyfile: '/k' },
    ],
    [{ REDIS_URL: 'redis://h', REDIS_SSL_CA_CERTS: '/ca' }, undefined],
    [{ REDIS_URL: 'redis+socket:///s', REDIS_SSL: 'true' }, undefined],
  ])('takes TLS from %j', (env, tls) => {
    const settings = resolveSettings(readEnvironment(env).settings)
    expect(settings.brokerConnection.tls).toEqual(tls)
    expect(settings.backendConnection?.tls).toEqual(tls)
  })

  it('passes on every Celery setting', () => {
    const { settings } = readEnvironment({
      REDIS_KEY_PREFIX: '{shop}:',
      REDIS_SOCKET_TIMEOUT: '2.5',
      REDIS_RETRY_ON_TIMEOUT: 'true',
      REDIS_MAX_CONNECTIONS: '20',
      CELERY_RESULT_EXPIRES: '60',
      CELERY_VISIBILITY_TIMEOUT: '120',
      CELERY_TASK_DEFAULT_QUEUE: 'q',
      CELERY_TASK_ACKS_LATE: 'no',
      CELERY_WORKER_POOL: 'prefork',
      CELERY_WORKER_CONCURRENCY: '7',
      CELERY_WORKER_MAX_TASKS_PER_CHILD: '100',
      CELERY_WORKER_MAX_MEMORY_PER_CHILD: '200000',
      CELERY_TASK_TIME_LIMIT: '90',
      CELERY_TASK_SOFT_TIME_LIMIT: '60',
      CELERY_WORKER_PREFETCH_MULTIPLIER: '0',
      CELERY_TIMEZONE: 'Europe/Berlin',
    })
    expect(resolveSettings(settings)).toMatchObject({
      brokerTransportOptions: { globalKeyprefix: '{shop}:', visibilityTimeout: 120, socketTimeout: 2.5 },
      resultBackendTransportOptions: { globalKeyprefix: '{shop}:' },
      resultExpires: 60,
      taskDefaultQueue: 'q',
      taskAcksLate: false,
      workerPool: 'processes',
      workerConcurrency: 7,
      workerMaxTasksPerChild: 100,
      workerMaxMemoryPerChild: 200_000,
      taskTimeLimit: 90,
      taskSoftTimeLimit: 60,
      workerPrefetchMultiplier: 0,
      timezone: 'Europe/Berlin',
    })
  })

  it('reads the rest', () => {
    const environment = readEnvironment({
      PORT: '0',
      HOST: '0.0.0.0',
      API_TOKENS: 'one, two,,',
      PURGE_OFFLINE_WORKER_METRICS: '60',
      RATE_LIMIT_PER_MINUTE: '1',
      RATE_LIMIT_PER_HOUR: '2',
      FEATURE_RATE_LIMITS: 'false',
      SENDGRID_API_KEY: 'key',
      SENDGRID_BASE_URL: 'http://127.0.0.1:9',
      MAIL_DEFAULT_SENDER: 'me@example.com',
      SLACK_WEBHOOK_URL: 'https://hooks.example/x',
      ARTIFACT_DIR: '/srv/reports',
      REPORT_SOURCE_DIRS: '/a,/b',
      LOG_LEVEL: 'WARNING',
      LOG_FORMAT: 'pretty',
    })
    expect(environment).toMatchObject({
      api: {
        host: '0.0.0.0',
        port: 0,
        tokens: ['one', 'two'],
        purgeOfflineWorkers: 60,
        rateLimits: { isEnabled: false, perMinute: 1, perHour: 2 },
      },
      notifications: {
        sendgridApiKey: 'key',
        sendgridBaseUrl: 'http://127.0.0.1:9',
        mailDefaultSender: 'me@example.com',
        slackWebhookUrl: 'https://hooks.example/x',
      },
      artifactDir: '/srv/reports',
      sourceDirs: ['/a', '/b'],
      log: { level: 'warn', format: 'pretty' },
    })
  })

  it.each<[env: Variables, fault: string]>([
    [{ PORT: 'http' }, 'PORT: expected an integer from 0 to 65535, got "http"'],
    [{ PORT: '65536' }, 'PORT: expected an integer from 0 to 65535, got "65536"'],
    [{ CELERY_TASK_ACKS_LATE: 'maybe' }, 'CELERY_TASK_ACKS_LATE: expected true or false, got "maybe"'],
    [{ CELERY_VISIBILITY_TIMEOUT: '0' }, 'CELERY_VISIBILITY_TIMEOUT: expected seconds, more than 0, got "0"'],
    [{ CELERY_RESULT_EXPIRES: '1d' }, 'CELERY_RESULT_EXPIRES: expected seconds, 0 for ever, got "1d"'],
    [
      { CELERY_TIMEZONE: 'Mars' },
      'CELERY_TIMEZONE: expected an IANA time zone such as Europe/Berlin, got "Mars"',
    ],
    [
      { REDIS_SSL_CERT_REQS: 'maybe' },
      'REDIS_SSL_CERT_REQS: expected one of required, optional, none, got "maybe"',
    ],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL: expected one of fatal, error, warn, info, debug, silent, got "loud"'],
    [{ REDIS_URL: 'redis://h/x' }, 'REDIS_URL: database of the URL: expected a number, found "x"'],
    [
      { SLACK_WEBHOOK_URL: 'hunter2' },
      'SLACK_WEBHOOK_URL: expected an http or https URL, got something else',
    ],
    [{ REDIS_URL: '${NOPE}' }, 'REDIS_URL: ${NOPE} is not set'],
    [{ REDIS_HOST: '${A}', A: '${B}', B: '${A}' }, 'REDIS_HOST: ${A} refers to itself'],
  ])('refuses %j', (env, fault) => {
    expect(faultsOf(env)).toEqual([fault])
  })

  it('names the variable of a bad URL, with what is wrong with it', () => {
    expect(faultsOf({ CELERY_RESULT_BACKEND: 'amqp://:hunter2@h' })).toEqual([
      expect.stringMatching(/^CELERY_RESULT_BACKEND: scheme of the URL: .* found "amqp"$/),
    ])
  })

  it('refuses a URL in place of a host, without showing it', () => {
    expect(faultsOf({ REDIS_HOST: 'redis://:hunter2@h' })).toEqual([
      'REDIS_HOST: expected a host, or host:port, got something else',
    ])
  })

  it('tells of all faults at once, without secrets', () => {
    const env = {
      PORT: 'x',
      CELERY_BROKER_URL: 'redis://:hunter2@h:x',
      REDIS_PASSWORD: '${hunter}',
      REDIS_DB: '-1',
    }
    const faults = faultsOf(env)
    expect(faults.map((fault) => fault.split(':')[0]).sort()).toEqual([
      'CELERY_BROKER_URL',
      'PORT',
      'REDIS_DB',
      'REDIS_PASSWORD',
    ])
    expect(faults.join('\n')).not.toContain('hunter2')
  })
})

describe('loadDotEnv', () => {
  it('sets what is not set already', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'lovage-'))
    onTestFinished(async () => {
      await rm(directory, { recursive: true })
      delete process.env.LOVAGE_TEST_A
      delete process.env.LOVAGE_TEST_B
    })
    const file = path.join(directory, '.env')
    await writeFile(file, 'LOVAGE_TEST_A=file\nLOVAGE_TEST_B="file"\n')
    process.env.LOVAGE_TEST_A = 'real'
    loadDotEnv(file)
    expect([process.env.LOVAGE_TEST_A, process.env.LOVAGE_TEST_B]).toEqual(['real', 'file'])
  })

  it('does not mind that there is no file', () => {
    loadDotEnv('/nowhere/.env')
  })

  it('says that a file cannot be read', () => {
    expect(() => loadDotEnv(tmpdir())).toThrow(EnvironmentError)
  })
})
