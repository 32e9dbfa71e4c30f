import { didYouMean } from '../did-you-mean.js'
import { formatAnswer } from './format-answer.js'
import { invalidRequest, type Fault } from './api-error.js'
import { z } from 'zod'
import type { FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify'

/** Checks a part of a request with its route's schema; all faults are told at once. */
export const compileValidator: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart, contentType }) => {
  // The fields of a form come with its file, as a stream: the route reads and checks them.
  if (contentType === 'multipart/form-data') return (data: unknown) => ({ value: data })
  return (data: unknown) => {
    // A request without a body, which Fastify hands over as null, says what an empty object says.
    const parsed = schema.safeParse(data ?? {})
    if (parsed.success) return { value: parsed.data }
    return { error: invalidRequest(faultsOf(parsed.error, schema, httpPart ?? 'request')) }
  }
}

/** Writes an answer with its route's schema, which drops what it does not name. */
export const compileSerializer: FastifySerializerCompiler<z.ZodType> = ({ schema }) => {
  return (data: unknown) => formatAnswer(schema.parse(data))
}

/** What a schema found, one fault for each unknown member, with the name that may have been meant. */
export function faultsOf(error: z.ZodError, schema: z.ZodType, root: string): Fault[] {
  return error.issues.flatMap(withoutUnions).flatMap((issue): Fault[] => {
    if (issue.code !== 'unrecognized_keys')
      return [{ path: formatPath(root, issue.path), message: issue.message }]
    const known = issue.path.length === 0 && schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
    return issue.keys.map((key) => {
      const closest = didYouMean(key, known)
      const hint = closest === undefined ? '' : `; did you mean ${closest}?`
      return { path: formatPath(root, [...issue.path, key]), message: `unknown member${hint}` }
    })
  })
}

/** Of alternatives, what the one says that takes values of this kind at all, if it is one. */
function withoutUnions(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const isOfKind = (issues: readonly z.core.$ZodIssue[]): boolean =>
    !issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0)
  const [only, ...others] = issue.errors.filter(isOfKind)
  if (only === undefined || others.length > 0) return [issue]
  return only.map((each) => ({ ...each, path: [...issue.path, ...each.path] })).flatMap(withoutUnions)
}

function formatPath(root: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}.${String(step)}`),
    root,
  )
}
