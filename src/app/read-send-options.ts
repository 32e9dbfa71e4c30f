import { OPTION_NAMES } from '../canvas/option-names.js'
import type { SendOptions } from './send-task.js'

/**
 * Options of a signature or a beat entry, as those of a call: by their wire names (wire protocol, section 12.2)
 * or in camelCase. Unknown ones become message properties, as in Celery.
 */
export function readSendOptions(options: Readonly<Record<string, unknown>>): SendOptions {
  const read: Record<string, unknown> = {}
  const properties: Record<string, unknown> = {}
  const stamped = Array.isArray(options.stamped_headers) ? (options.stamped_headers as string[]) : []
  for (const [name, value] of Object.entries(options)) {
    if (value === null || value === undefined || LOCAL_OPTIONS.has(name) || stamped.includes(name)) continue
    const known =
      (OPTION_NAMES as Readonly<Record<string, string>>)[name] ??
      (CAMEL_CASE_NAMES.has(name) ? name : undefined)
    if (known === undefined) properties[name] = value
    else read[known] = INSTANTS.has(name) && typeof value === 'string' ? new Date(value) : value
  }
  if (stamped.length > 0) read.stamps = Object.fromEntries(stamped.map((name) => [name, options[name]]))
  return { ...read, ...(Object.keys(properties).length > 0 ? { properties } : {}) }
}

const CAMEL_CASE_NAMES: ReadonlySet<string> = new Set(Object.values(OPTION_NAMES))
const INSTANTS = new Set(['eta', 'expires'])
/** Meant for the sender's own call, or given by the parent. */
const LOCAL_OPTIONS = new Set([
  'add_to_parent',
  'producer',
  'connection',
  'retry',
  'retry_policy',
  'exchange',
  'delivery_mode',
  'root_id',
  'parent_id',
])
