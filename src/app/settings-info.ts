import { isPlainRecord } from '../serialization/plain-record.js'
import { redactUrls } from '../log.js'
import { resolveSettings, type Settings } from './settings.js'
import { settingsSchema } from './settings-schema.js'

/** Settings that hold secrets, or functions. */
const NOT_TOLD: ReadonlySet<string> = new Set([
  'messageSecrets',
  'securityKeyPassword',
  'brokerCredentials',
  'backendCredentials',
])
const CELERY_NAMES: Readonly<Record<string, string>> = {
  broker: 'broker_url',
  backend: 'result_backend',
  workerRevokesMax: 'worker_revokes_max',
}

/** Settings by Celery's names, without secrets. @param withDefaults - Also those that nobody has changed. */
export function settingsInfo(
  settings: Settings,
  { withDefaults }: { readonly withDefaults: boolean },
): Readonly<Record<string, unknown>> {
  const defaults = resolveSettings({})
  const info: Record<string, unknown> = {}
  for (const name of Object.keys(settingsSchema.shape)) {
    if (NOT_TOLD.has(name)) continue
    const value = tellable(settings[name as keyof Settings])
    const isDefault = JSON.stringify(value) === JSON.stringify(tellable(defaults[name as keyof Settings]))
    if (value === undefined || (isDefault && !withDefaults)) continue
    info[celeryNameOf(name)] = value
  }
  return info
}

/** Celery's name of a setting: `task_time_limit` of `taskTimeLimit`. */
export function celeryNameOf(setting: string): string {
  return CELERY_NAMES[setting] ?? snakeCase(setting)
}

/** Undefined for what JSON cannot hold. */
function tellable(value: unknown): unknown {
  if (typeof value === 'string') return redactUrls(value)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => tellable(item) ?? null)
  if (!isPlainRecord(value)) return undefined
  const members = Object.entries(value).map(([name, member]) => {
    return [snakeCase(name), /password|secret/i.test(name) ? '********' : tellable(member)] as const
  })
  return Object.fromEntries(members.filter(([, member]) => member !== undefined))
}

export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
