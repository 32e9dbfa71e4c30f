import { z } from 'zod'
import { describeValue, InvalidArgumentError } from '../errors.js'

const schema = z.strictObject({
  key: z
    .custom(
      (key) => typeof key === 'function' || (typeof key === 'string' && key !== ''),
      'a non-empty string, or a function of the arguments',
    )
    .optional(),
  ttl: z.number('seconds, more than 0').positive('seconds, more than 0').optional(),
  until: z.enum(['start', 'finish'], 'start or finish').optional(),
  onConflict: z.enum(['drop', 'replace', 'error'], 'drop, replace or error').optional(),
})
const OPTIONS = `true, false, or { ${Object.keys(schema.shape).join(', ')} }`

/** What keeps `unique` from being one, as `unique.ttl: expected seconds, more than 0, got number 0`; undefined: nothing. */
export function faultOfUnique(unique: unknown): string | undefined {
  if (typeof unique === 'boolean') return undefined
  if (typeof unique !== 'object' || unique === null || Array.isArray(unique))
    return `unique: expected ${OPTIONS}, got ${describeValue(unique)}`
  const issue = schema.safeParse(unique).error?.issues[0]
  if (issue === undefined) return undefined
  if (issue.code === 'unrecognized_keys') return `unique: expected ${OPTIONS}, got ${issue.keys.join(', ')}`
  const [name = ''] = issue.path.map(String)
  return `unique.${name}: expected ${issue.message}, got ${describeValue((unique as Record<string, unknown>)[name])}`
}

/** @throws InvalidArgumentError */
export function checkUnique(unique: unknown): void {
  const fault = faultOfUnique(unique)
  if (fault !== undefined) throw new InvalidArgumentError(fault)
}
