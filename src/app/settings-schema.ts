import { z } from 'zod'
import { LovageError } from '../errors.js'
import type { CredentialsProvider } from '../redis/credentials.js'
import type { TlsOptions } from '../redis/endpoint.js'
import { parseRedisUrl } from '../redis/url.js'
import { resolveAcceptContent } from '../serialization/serializers.js'
import { compileAnnotations, type TaskAnnotations } from './annotations.js'
import type { CelerySettings } from './celery-settings.js'
import { isSoftTooLate } from './check-time-limits.js'
import { POOL_KINDS, POOL_NAMES } from './pool-kinds.js'
import { parseRate, type RateLimit } from './rate-limit.js'
import { compileRoutes, type TaskRoutes } from './routing.js'

// The message of each part is what it expects; who reports a fault adds the name and the value.
const text = z.string('a string')
const name = z.string('a non-empty string').min(1, 'a non-empty string')
const flag = z.boolean('true or false')
const priority = integer(0, 9, 'an integer from 0 to 9')
const seconds = z.number('seconds, 0 or more').nonnegative('seconds, 0 or more')
const moreThanZero = z.number('seconds, more than 0').positive('seconds, more than 0')
const serializer = oneOf('json', 'yaml', 'msgpack', 'auth')

function integer(least: number, most: number, expected: string): z.ZodNumber {
  return z.number(expected).int(expected).min(least, expected).max(most, expected)
}

/** One of these texts; the message says which. */
export function oneOf<const Values extends readonly [string, ...string[]]>(
  ...values: Values
): z.ZodEnum<{ [Value in Values[number]]: Value }> {
  return z.enum(values, `one of ${values.join(', ')}`)
}

/** A check by a function of ours whose error says it all. */
export function passes<Value>(
  check: (value: Value) => unknown,
): (context: z.core.ParsePayload<Value>) => void {
  return (context) => {
    try {
      check(context.value)
    } catch (error) {
      if (!(error instanceof LovageError)) throw error
      const { value: input } = context
      context.issues.push({ code: 'custom', message: error.message, params: { isWhole: true }, input })
    }
  }
}

const names = z.array(name, 'a list of names').nonempty('a list of at least one name')
const url = z.string('a URL').check(passes(parseRedisUrl))
// Whether there is a serializer `auth` is seen when all settings are known.
const acceptContent = names.check(
  passes((accepted) => resolveAcceptContent(accepted.filter((each) => each !== 'auth'))),
)

const CERT_REQS = { CERT_REQUIRED: 'required', CERT_OPTIONAL: 'optional', CERT_NONE: 'none' } as const

const useSsl = z.union(
  [
    z.boolean(),
    z.strictObject({
      sslCertReqs: z
        .enum(['required', 'optional', 'none', 'CERT_REQUIRED', 'CERT_OPTIONAL', 'CERT_NONE'])
        .transform((reqs) => (reqs in CERT_REQS ? CERT_REQS[reqs as keyof typeof CERT_REQS] : reqs))
        .optional(),
      sslCaCerts: name.optional(),
      sslCertfile: name.optional(),
      sslKeyfile: name.optional(),
      sslCheckHostname: flag.optional(),
    }),
  ],
  'true, false, or an object of sslCertReqs (required, optional, none), sslCaCerts, sslCertfile, sslKeyfile, ' +
    'sslCheckHostname',
) as z.ZodType<boolean | TlsOptions, boolean | TlsOptions>

const SECRETS = 'a list of texts of at least 32 characters'
const secret = z.string('a text of at least 32 characters').min(32, 'a text of at least 32 characters')

const provider = z.custom<CredentialsProvider>(
  (value) => typeof value === 'function',
  'a function that returns an object of username, password and expiresAt',
)

const STEPS = 'ascending integers from 0 to 9'
const sentinel = {
  masterName: name.optional(),
  sentinelKwargs: z
    .strictObject(
      { username: text.optional(), password: text.optional() },
      'an object of username and password',
    )
    .optional(),
}

const transportOptions = z.strictObject(
  {
    visibilityTimeout: moreThanZero.default(3600),
    globalKeyprefix: text.default(''),
    prioritySteps: z
      .array(integer(0, 9, STEPS), STEPS)
      .nonempty(STEPS)
      .refine((steps) => steps.every((step, i) => i === 0 || step > (steps[i - 1] ?? 0)), STEPS)
      .default([0, 3, 6, 9]),
    sep: name.default('\x06\x16'),
    queueOrderStrategy: oneOf('round_robin', 'sorted', 'priority').default('round_robin'),
    unackedKey: name.default('unacked'),
    unackedIndexKey: name.default('unacked_index'),
    unackedMutexKey: name.default('unacked_mutex'),
    socketTimeout: moreThanZero.optional(),
    socketConnectTimeout: moreThanZero.optional(),
    ...sentinel,
  },
  'an object of transport options',
)

const resultTransportOptions = z.strictObject(
  { globalKeyprefix: text.default(''), resultChordOrdered: flag.default(true), ...sentinel },
  'an object of transport options',
)

const eachSetting = z.strictObject(
  {
    broker: url.default('redis://localhost:6379/0'),
    backend: url.optional(),
    brokerTransportOptions: transportOptions.prefault({}),
    resultBackendTransportOptions: resultTransportOptions.prefault({}),
    brokerCredentials: provider.optional(),
    backendCredentials: provider.optional(),
    brokerUseSsl: useSsl.optional(),
    redisBackendUseSsl: useSsl.optional(),
    redisSocketTimeout: moreThanZero.optional(),
    redisSocketConnectTimeout: moreThanZero.optional(),

    taskDefaultQueue: name.default('celery'),
    taskDefaultPriority: priority.optional(),
    taskQueues: names.optional(),
    taskRoutes: z.custom<TaskRoutes>().default([]).check(passes(compileRoutes)).transform(compileRoutes),
    taskSerializer: serializer.default('json'),
    resultSerializer: serializer.default('json'),
    acceptContent: acceptContent.default(['json']),
    resultAcceptContent: acceptContent.optional(),
    taskCompression: oneOf('zlib', 'gzip', 'brotli', 'zstd', 'zstandard').optional(),
    taskProtocol: z.literal(2, '2, the only version that is written').default(2),
    taskAnnotations: z
      .custom<TaskAnnotations>()
      .default([])
      .check(passes(compileAnnotations))
      .transform(compileAnnotations),
    taskAlwaysEager: flag.default(false),
    taskEagerPropagates: flag.default(false),
    taskIgnoreResult: flag.default(false),
    taskStoreErrorsEvenIfIgnored: flag.default(false),
    taskTrackStarted: flag.default(false),
    taskSendSentEvent: flag.default(false),
    taskInheritParentPriority: flag.default(false),
    taskAllowErrorCbOnChordHeader: flag.default(false),
    taskAcksLate: flag.default(true),
    taskAcksOnFailureOrTimeout: flag.default(true),
    taskRejectOnWorkerLost: flag.default(true),
    taskMaxDeliveries: integer(1, Number.MAX_SAFE_INTEGER, 'an integer, 1 or more').default(5),
    taskDefaultRateLimit: z.custom<RateLimit>().check(passes(parseRate)).optional(),
    taskTimeLimit: moreThanZero.optional(),
    taskSoftTimeLimit: moreThanZero.optional(),
    taskDefaultDeliveryMode: z.literal([1, 2], '1 or 2').default(2),

    resultExpires: z.number('seconds, or null').nonnegative('seconds, 0 or more').nullable().default(86_400),
    resultExtended: flag.default(false),
    resultMaxBytes: integer(0, Number.MAX_SAFE_INTEGER, 'bytes, an integer, 0 or more').default(33_554_432),
    resultChordJoinTimeout: moreThanZero.default(3),

    deadLetterMaxCount: integer(1, Number.MAX_SAFE_INTEGER, 'an integer, 1 or more').default(10_000),
    deadLetterExpires: z
      .number('seconds, or null')
      .nonnegative('seconds, 0 or more')
      .nullable()
      .default(15_552_000),

    workerPool: z
      .enum(POOL_NAMES, `one of ${POOL_NAMES.join(', ')}`)
      .transform((name) => POOL_KINDS[name])
      .default('async'),
    workerConcurrency: integer(1, 1_000_000, 'an integer, 1 or more').optional(),
    workerMaxTasksPerChild: integer(1, Number.MAX_SAFE_INTEGER, 'an integer, 1 or more').optional(),
    workerMaxMemoryPerChild: integer(1, Number.MAX_SAFE_INTEGER, 'KiB, an integer, 1 or more').optional(),
    workerHardMemoryLimit: integer(1, Number.MAX_SAFE_INTEGER, 'KiB, an integer, 1 or more').optional(),
    workerPoolRestarts: flag.default(false),
    workerProcAliveTimeout: moreThanZero.default(30),
    workerPrefetchMultiplier: integer(0, 1_000_000, 'an integer, 0 or more').optional(),
    workerPrefetchMaxBytes: integer(0, Number.MAX_SAFE_INTEGER, 'bytes, an integer, 0 or more').default(
      134_217_728,
    ),
    workerDisableRateLimits: flag.default(false),
    workerSendTaskEvents: flag.default(false),
    workerShutdownTimeout: seconds.default(25),
    workerLease: moreThanZero.default(30),
    workerEnableRemoteControl: flag.default(true),
    controlExchange: name.default('celery'),
    workerStateDb: name.optional(),
    workerRevokesMax: integer(1, 10_000_000, 'an integer, 1 or more').default(50_000),
    workerRevokeExpires: moreThanZero.default(86_400),

    eventExchange: name.default('celeryev'),

    timezone: z
      .string('an IANA time zone')
      .refine(isTimezone, 'an IANA time zone such as Europe/Berlin')
      .default('UTC'),
    beatSchedule: z.record(z.string(), z.unknown(), 'an object of entries').default({}),
    beatMaxLoopInterval: moreThanZero.default(300),
    beatCronStartingDeadline: moreThanZero.optional(),

    securityKey: name.optional(),
    securityKeyPassword: text.optional(),
    securityCertificate: name.optional(),
    securityCertStore: name.optional(),
    securityDigest: oneOf('sha224', 'sha256', 'sha384', 'sha512').default('sha256'),
    securityLayout: oneOf('celery-5.5', 'celery-5.2').default('celery-5.5'),
    messageSecrets: z.array(secret, SECRETS).nonempty(SECRETS).optional(),
    acceptUnsignedMessages: flag.default(false),

    publishTimeoutMs: z
      .number('milliseconds, more than 0')
      .positive('milliseconds, more than 0')
      .default(5000),
    jsonForm: oneOf('tagged', 'plain').default('tagged'),
  },
  'an object of settings',
)

export const settingsSchema = eachSetting.refine(
  ({ taskTimeLimit, taskSoftTimeLimit }) =>
    !isSoftTooLate({ timeLimit: taskTimeLimit, softTimeLimit: taskSoftTimeLimit }),
  {
    path: ['taskSoftTimeLimit'],
    error: ({ input }) => `at most the taskTimeLimit, ${(input as CelerySettings).taskTimeLimit} s`,
  },
)

export type CheckedSettings = z.output<typeof settingsSchema>
export type CheckedTransportOptions = CheckedSettings['brokerTransportOptions']

/** Whether this Node.js knows an IANA time zone of this name. */
export function isTimezone(timezone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone })
    return true
  } catch {
    return false
  }
}
