import { NO_BACKEND, type Variables } from './environment-variables.js'
import type { CelerySettings } from './celery-settings.js'
import type { TlsOptions } from '../redis/endpoint.js'

/** The settings that variables stand for. */
export function settingsOfVariables(values: Variables): CelerySettings {
  const shared = values.REDIS_URL ?? urlOfParts(values)
  const broker = values.CELERY_BROKER_URL ?? shared
  // The API tells of results, so without a place of their own they are kept where the messages are.
  const backend = values.CELERY_RESULT_BACKEND ?? shared ?? broker
  const sentinel = {
    masterName: values.REDIS_SENTINEL_MASTER,
    sentinelKwargs:
      values.REDIS_SENTINEL_PASSWORD === undefined ? undefined : { password: values.REDIS_SENTINEL_PASSWORD },
  }
  return {
    broker,
    backend: backend !== undefined && NO_BACKEND.includes(backend) ? undefined : backend,
    brokerUseSsl: tlsOptions(values, broker),
    redisBackendUseSsl: tlsOptions(values, backend),
    brokerTransportOptions: {
      ...sentinel,
      globalKeyprefix: values.REDIS_KEY_PREFIX,
      visibilityTimeout: values.CELERY_VISIBILITY_TIMEOUT,
      socketTimeout: values.REDIS_SOCKET_TIMEOUT,
    },
    resultBackendTransportOptions: { ...sentinel, globalKeyprefix: values.REDIS_KEY_PREFIX },
    redisSocketTimeout: values.REDIS_SOCKET_TIMEOUT,
    resultExpires: values.CELERY_RESULT_EXPIRES,
    taskDefaultQueue: values.CELERY_TASK_DEFAULT_QUEUE,
    taskAcksLate: values.CELERY_TASK_ACKS_LATE,
    taskTimeLimit: values.CELERY_TASK_TIME_LIMIT,
    taskSoftTimeLimit: values.CELERY_TASK_SOFT_TIME_LIMIT,
    workerPool: values.CELERY_WORKER_POOL,
    workerMaxTasksPerChild: values.CELERY_WORKER_MAX_TASKS_PER_CHILD,
    workerMaxMemoryPerChild: values.CELERY_WORKER_MAX_MEMORY_PER_CHILD,
    workerConcurrency: values.CELERY_WORKER_CONCURRENCY,
    workerPrefetchMultiplier: values.CELERY_WORKER_PREFETCH_MULTIPLIER,
    messageSecrets: values.MESSAGE_SECRETS,
    timezone: values.CELERY_TIMEZONE,
  }
}

/** Undefined where none of the parts is given. */
function urlOfParts(values: Variables): string | undefined {
  const { REDIS_HOST, REDIS_ENDPOINT, REDIS_PORT, REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB, REDIS_SSL } =
    values
  const parts = [REDIS_HOST, REDIS_ENDPOINT, REDIS_PORT, REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB, REDIS_SSL]
  if (parts.every((part) => part === undefined)) return undefined
  const host = REDIS_HOST ?? REDIS_ENDPOINT ?? 'localhost'
  const isBareIPv6 = /^[^[]*:.*:/.test(host)
  const authority = isBareIPv6 ? `[${host}]` : host
  const hasPort = /:\d+$/.test(authority)
  const user = REDIS_USERNAME === undefined ? '' : encodeURIComponent(REDIS_USERNAME)
  const password = REDIS_PASSWORD === undefined ? '' : `:${encodeURIComponent(REDIS_PASSWORD)}`
  const credentials = user === '' && password === '' ? '' : `${user}${password}@`
  const port = hasPort && REDIS_PORT === undefined ? '' : `:${REDIS_PORT ?? 6379}`
  const where = hasPort && port !== '' ? authority.replace(/:\d+$/, '') : authority
  return `${REDIS_SSL === true ? 'rediss' : 'redis'}://${credentials}${where}${port}/${REDIS_DB ?? 0}`
}

function tlsOptions(values: Variables, url: string | undefined): TlsOptions | undefined {
  if (url === undefined || /^(?:memory|unix|redis\+socket|disabled)\b/.test(url)) return undefined
  if (values.REDIS_SSL !== true && !url.startsWith('rediss')) return undefined
  return {
    sslCertReqs: values.REDIS_SSL_CERT_REQS,
    sslCaCerts: values.REDIS_SSL_CA_CERTS,
    sslCertfile: values.REDIS_SSL_CERTFILE,
    sslKeyfile: values.REDIS_SSL_KEYFILE,
  }
}
