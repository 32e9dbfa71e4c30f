import { describe, expect, expectTypeOf, it } from 'vitest'
import { resolveSettings } from '../../../src/app/settings.js'
import { SettingsError } from '../../../src/app/settings-error.js'
import type { CelerySettings } from '../../../src/app/celery-settings.js'
import type { z } from 'zod'
import type { settingsSchema } from '../../../src/app/settings-schema.js'

function faultsOf(settings: unknown): readonly string[] {
  try {
    resolveSettings(settings as CelerySettings)
  } catch (error) {
    if (error instanceof SettingsError) return error.faults
    throw error
  }
  throw new Error('the settings were accepted')
}

describe('resolveSettings', () => {
  it("fills in Celery's defaults, and ours where they differ on purpose", () => {
    expect(resolveSettings({})).toMatchObject({
      broker: 'redis://localhost:6379/0',
      backendConnection: undefined,
      taskDefaultQueue: 'celery',
      taskSerializer: 'json',
      resultSerializer: 'json',
      acceptContent: ['json'],
      resultAcceptContent: ['json'],
      taskProtocol: 2,
      taskIgnoreResult: false,
      taskTrackStarted: false,
      taskAcksLate: true,
      taskMaxDeliveries: 5,
      taskDefaultDeliveryMode: 2,
      resultExpires: 86_400,
      resultExtended: false,
      workerPool: 'async',
      workerProcAliveTimeout: 30,
      workerShutdownTimeout: 25,
      workerLease: 30,
      timezone: 'UTC',
      beatSchedule: {},
      publishTimeoutMs: 5000,
      jsonForm: 'tagged',
      brokerTransportOptions: {
        visibilityTimeout: 3600,
        globalKeyprefix: '',
        prioritySteps: [0, 3, 6, 9],
        sep: '\x06\x16',
        queueOrderStrategy: 'round_robin',
        unackedKey: 'unacked',
        unackedIndexKey: 'unacked_index',
        unackedMutexKey: 'unacked_mutex',
      },
      resultBackendTransportOptions: { globalKeyprefix: '' },
    })
  })

  it('takes an undefined setting for one that is not there', () => {
    expect(
      resolveSettings({ taskDefaultQueue: undefined, brokerTransportOptions: { sep: undefined } }),
    ).toEqual(resolveSettings({}))
  })

  it.each([
    [null, 0],
    [0, 0],
    [60, 60],
  ])('keeps results for %s', (resultExpires, seconds) => {
    expect(resolveSettings({ resultExpires }).resultExpires).toBe(seconds)
  })

  it('keeps one prefix for the broker and one for results, as they were given', () => {
    const settings = resolveSettings({
      brokerTransportOptions: { globalKeyprefix: 'a' },
      resultBackendTransportOptions: { globalKeyprefix: 'b' },
    })
    expect(settings.brokerTransportOptions.globalKeyprefix).toBe('a')
    expect(settings.resultBackendTransportOptions.globalKeyprefix).toBe('b')
  })

  it('gathers what is needed to connect, in milliseconds', () => {
    const { brokerConnection, backendConnection } = resolveSettings({
      broker: 'sentinel://h1;sentinel://h2',
      backend: 'rediss://h3',
      brokerTransportOptions: {
        masterName: 'shop',
        sentinelKwargs: { username: 'u', password: 'p' },
        socketTimeout: 2,
        socketConnectTimeout: 0.5,
      },
      redisBackendUseSsl: { sslCertReqs: 'CERT_NONE' as 'none', sslCaCerts: '/ca.pem' },
      redisSocketTimeout: 3,
    })
    expect(brokerConnection).toEqual({
      url: 'sentinel://h1;sentinel://h2',
      tls: undefined,
      masterName: 'shop',
      sentinelUsername: 'u',
      sentinelPassword: 'p',
      socketTimeoutMs: 2000,
      connectTimeoutMs: 500,
    })
    expect(backendConnection).toMatchObject({
      url: 'rediss://h3',
      tls: { sslCertReqs: 'none', sslCaCerts: '/ca.pem' },
      socketTimeoutMs: 3000,
    })
  })

  it.each([
    [true, {}],
    [false, undefined],
    [undefined, undefined],
  ])('reads brokerUseSsl: %s', (brokerUseSsl, tls) => {
    expect(resolveSettings({ brokerUseSsl }).brokerConnection.tls).toEqual(tls)
  })

  it.each<[settings: unknown, fault: string]>([
    [{ task_default_queue: 'q' }, 'task_default_queue: unknown setting; did you mean taskDefaultQueue?'],
    [{ taskDefaultQueu: 'q' }, 'taskDefaultQueu: unknown setting; did you mean taskDefaultQueue?'],
    [{ broker_url: 'redis://h' }, 'broker_url: unknown setting; did you mean broker?'],
    [{ result_backend: 'redis://h' }, 'result_backend: unknown setting; did you mean backend?'],
    [{ somethingElse: 1 }, 'somethingElse: unknown setting'],
    [
      { brokerTransportOptions: { visibility_timeout: 1 } },
      'brokerTransportOptions.visibility_timeout: unknown setting; did you mean visibilityTimeout?',
    ],
    [{ taskDefaultQueue: 5 }, 'taskDefaultQueue: expected a non-empty string, got number 5'],
    [{ taskDefaultQueue: '' }, 'taskDefaultQueue: expected a non-empty string, got string ""'],
    [{ taskQueues: [] }, 'taskQueues: expected a list of at least one name, got array of 0'],
    [{ taskQueues: ['a', 1] }, 'taskQueues.1: expected a non-empty string, got number 1'],
    [{ taskAcksLate: 'yes' }, 'taskAcksLate: expected true or false, got string "yes"'],
    [{ taskProtocol: 1 }, 'taskProtocol: expected 2, the only version that is written, got number 1'],
    [
      { taskSerializer: 'pickle' },
      'taskSerializer: expected one of json, yaml, msgpack, auth, got string "pickle"',
    ],
    [{ taskDefaultPriority: 10 }, 'taskDefaultPriority: expected an integer from 0 to 9, got number 10'],
    [{ taskMaxDeliveries: 0 }, 'taskMaxDeliveries: expected an integer, 1 or more, got number 0'],
    [{ resultExpires: -1 }, 'resultExpires: expected seconds, 0 or more, got number -1'],
    [
      { workerPool: 'fibers' as never },
      'workerPool: expected one of async, gevent, eventlet, solo, threads, processes, prefork, got string "fibers"',
    ],
    [{ workerConcurrency: 1.5 }, 'workerConcurrency: expected an integer, 1 or more, got number 1.5'],
    [{ taskTimeLimit: Infinity }, 'taskTimeLimit: expected seconds, more than 0, got number Infinity'],
    [
      { taskTimeLimit: 10, taskSoftTimeLimit: 20 },
      'taskSoftTimeLimit: expected at most the taskTimeLimit, 10 s, got number 20',
    ],
    [
      { timezone: 'Mars/Olympus' },
      'timezone: expected an IANA time zone such as Europe/Berlin, got string "Mars/Olympus"',
    ],
    [
      { brokerTransportOptions: { prioritySteps: [0, 3, 3] } },
      'brokerTransportOptions.prioritySteps: expected ascending integers from 0 to 9, got array of 3',
    ],
    [
      { brokerTransportOptions: { prioritySteps: [0, 10] } },
      'brokerTransportOptions.prioritySteps.1: expected ascending integers from 0 to 9, got number 10',
    ],
    [
      { brokerTransportOptions: { prioritySteps: [] } },
      'brokerTransportOptions.prioritySteps: expected ascending integers from 0 to 9, got array of 0',
    ],
    [
      { broker: 'redis://:hunter2@h:x' },
      'broker: port of the URL: expected a number from 1 to 65535, found something else',
    ],
    [{ broker: 5 }, 'broker: expected a URL, got number 5'],
    [{ taskRoutes: { a: 5 } }, `taskRoutes: ["a"]: expected a queue's name or a route, got number 5`],
    [
      { brokerTransportOptions: { sentinelKwargs: { password: 12345 } } },
      'brokerTransportOptions.sentinelKwargs.password: expected a string, got number',
    ],
  ])('refuses %j', (settings, fault) => {
    expect(faultsOf(settings)).toEqual([fault])
  })

  it('refuses pickle with the reason', () => {
    expect(faultsOf({ acceptContent: ['json', 'pickle'] })).toEqual([
      expect.stringMatching(/^acceptContent: pickle is not supported/),
    ])
  })

  it('tells of all faults at once, one a line', () => {
    const act = (): unknown =>
      resolveSettings({ taskDefaultQueue: '', workerLease: 0, nope: 1 } as CelerySettings)
    expect(act).toThrow(expect.objectContaining({ code: 'INVALID_SETTINGS' }) as Error)
    expect(faultsOf({ taskDefaultQueue: '', workerLease: 0, nope: 1 })).toHaveLength(3)
  })

  it('documents exactly the settings it accepts', () => {
    expectTypeOf<keyof CelerySettings>().toEqualTypeOf<keyof z.input<typeof settingsSchema>>()
    expectTypeOf<keyof NonNullable<CelerySettings['brokerTransportOptions']>>().toEqualTypeOf<
      keyof NonNullable<z.input<typeof settingsSchema>['brokerTransportOptions']>
    >()
  })
})
