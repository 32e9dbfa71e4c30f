import { InvalidArgumentError } from '../errors.js'
import { createMessageSigner, type MessageSigner } from '../serialization/message-signature.js'
import { describeFault, SettingsError } from './settings-error.js'
import { loadAuthSerializer } from './security.js'
import { settingsSchema, type CheckedSettings, type CheckedTransportOptions } from './settings-schema.js'
import type { CelerySettings } from './celery-settings.js'
import type { RedisConnectionOptions } from '../redis/connect.js'
import type { Serializer } from '../serialization/serializers.js'
import type { TlsOptions } from '../redis/endpoint.js'

/** Settings, complete and checked. Names, units and meaning are those of {@link CelerySettings}. */
export interface Settings extends Omit<
  CheckedSettings,
  | 'brokerUseSsl'
  | 'redisBackendUseSsl'
  | 'redisSocketTimeout'
  | 'redisSocketConnectTimeout'
  | 'resultAcceptContent'
  | 'resultExpires'
  | 'deadLetterExpires'
> {
  readonly resultAcceptContent: readonly string[]
  /** The serializer of that name, where certificates are given. */
  readonly auth: Serializer | undefined
  /** Of `messageSecrets`. */
  readonly messageSigner: MessageSigner | undefined
  /** Seconds; 0 for ever. */
  readonly resultExpires: number
  /** Seconds; 0 for ever. */
  readonly deadLetterExpires: number
  /** Of `broker` and all settings about reaching it. */
  readonly brokerConnection: RedisConnectionOptions
  /** Undefined where no results are kept. */
  readonly backendConnection: RedisConnectionOptions | undefined
}

const EAGER = { broker: 'memory://', backend: 'memory://', workerDisableRateLimits: true } as const

/** @throws SettingsError when a setting is unknown or has a wrong value. */
export function resolveSettings(settings: CelerySettings): Settings {
  const parsed = settingsSchema.safeParse(settings)
  if (!parsed.success) {
    throw new SettingsError(parsed.error.issues.flatMap((issue) => describeFault(issue, settings)))
  }
  const { brokerUseSsl, redisBackendUseSsl, redisSocketTimeout, redisSocketConnectTimeout, ...checked } =
    parsed.data.taskAlwaysEager ? { ...parsed.data, ...EAGER } : parsed.data
  const { broker, backend, brokerTransportOptions, resultBackendTransportOptions } = checked
  const { socketTimeout, socketConnectTimeout } = brokerTransportOptions
  return {
    ...checked,
    auth: authSerializer(parsed.data),
    messageSigner: checked.messageSecrets && createMessageSigner(checked.messageSecrets),
    resultAcceptContent: checked.resultAcceptContent ?? checked.acceptContent,
    resultExpires: checked.resultExpires ?? 0,
    deadLetterExpires: checked.deadLetterExpires ?? 0,
    brokerConnection: {
      url: broker,
      credentials: checked.brokerCredentials,
      ...sentinelOptions(brokerTransportOptions),
      tls: tlsOptions(brokerUseSsl),
      socketTimeoutMs: inMs(socketTimeout),
      connectTimeoutMs: inMs(socketConnectTimeout),
    },
    backendConnection:
      backend === undefined
        ? undefined
        : {
            url: backend,
            credentials: checked.backendCredentials,
            ...sentinelOptions(resultBackendTransportOptions),
            tls: tlsOptions(redisBackendUseSsl),
            socketTimeoutMs: inMs(redisSocketTimeout),
            connectTimeoutMs: inMs(redisSocketConnectTimeout),
          },
  }
}

function authSerializer(checked: CheckedSettings): Serializer | undefined {
  try {
    return loadAuthSerializer(checked)
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    throw new SettingsError([error.message])
  }
}

function sentinelOptions(
  options: Pick<CheckedTransportOptions, 'masterName' | 'sentinelKwargs'>,
): Omit<RedisConnectionOptions, 'url'> {
  const { masterName, sentinelKwargs } = options
  return {
    masterName,
    sentinelUsername: sentinelKwargs?.username,
    sentinelPassword: sentinelKwargs?.password,
  }
}

function tlsOptions(useSsl: boolean | TlsOptions | undefined): TlsOptions | undefined {
  return typeof useSsl === 'boolean' ? (useSsl ? {} : undefined) : useSsl
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000
}
