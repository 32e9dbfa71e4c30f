import { describeValue, LovageError } from '../errors.js'
import { didYouMean } from '../did-you-mean.js'
import { settingsSchema } from './settings-schema.js'
import type { z } from 'zod'

/** Thrown when settings cannot be used. The message has one line for each fault. */
export class SettingsError extends LovageError {
  readonly code = 'INVALID_SETTINGS'
  /** `taskDefaultQueue: expected a non-empty string, got number 5` */
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(`invalid settings:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
    this.faults = faults
  }
}

/** @returns a line for each fault, with the value unless it is a secret. */
export function describeFault(issue: z.core.$ZodIssue, settings: unknown): string[] {
  const path = issue.path.map(String)
  const name = path.join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${[...path, key].join('.')}: unknown setting${hint(key, path)}`)
  }
  // Messages of custom checks are whole; all others say what was expected.
  if (issue.code === 'custom' && issue.params?.isWhole === true) return [`${name}: ${issue.message}`]
  let value = settings
  for (const key of path) value = (value as Readonly<Record<string, unknown>> | undefined)?.[key]
  const isSecret = path.some((key) => SECRETS.has(key))
  return [`${name}: expected ${issue.message}, got ${isSecret ? typeof value : describeValue(value)}`]
}

const SECRETS: ReadonlySet<string> = new Set(['sentinelKwargs', 'securityKeyPassword', 'messageSecrets'])

/** Names of Celery that have a shorter one here. */
const OTHER_NAMES: Readonly<Record<string, string>> = { brokerUrl: 'broker', resultBackend: 'backend' }

function hint(key: string, path: readonly string[]): string {
  const [parent, ...deeper] = path
  if (deeper.length > 0) return ''
  const known =
    parent === 'brokerTransportOptions' || parent === 'resultBackendTransportOptions'
      ? Object.keys(settingsSchema.shape[parent].unwrap().shape)
      : parent === undefined
        ? [...Object.keys(settingsSchema.shape), ...Object.keys(OTHER_NAMES)]
        : []
  const meant = didYouMean(key, known)
  return meant === undefined ? '' : `; did you mean ${OTHER_NAMES[meant] ?? meant}?`
}
