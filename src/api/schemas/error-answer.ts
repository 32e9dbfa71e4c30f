import { z } from 'zod'

/** Every error of the API. */
const errorAnswer = z
  .object({
    error: z.object({
      code: z.string().describe('Stable, such as INVALID_REQUEST; programs may compare it.'),
      message: z.string().describe('For people.'),
      details: z.unknown().optional().describe('Depends on the code; the list of faults of a bad request.'),
    }),
  })
  .meta({ id: 'Error' })

const MEANINGS = {
  400: 'The request is wrong; `details` lists the faults.',
  401: 'No token, or a wrong one.',
  403: 'Without tokens, only requests from this machine are answered.',
  404: 'There is no such thing.',
  409: 'It is not in a state for this.',
  410: 'It is gone.',
  413: 'The body is too large.',
  415: 'A body of this type is not understood.',
  501: 'The service keeps no results: no result backend is set.',
  503: 'The broker or the result backend cannot be reached; trying again may help.',
} as const

type ErrorStatus = keyof typeof MEANINGS

interface ErrorResponse {
  readonly description: string
  readonly content: { readonly 'application/json': { readonly schema: typeof errorAnswer } }
}

/** What a route documents besides its own answers; 401 and 403 come from every closed route. */
export function errorAnswers(...statuses: ErrorStatus[]): Record<number, ErrorResponse> {
  return Object.fromEntries(
    ([401, 403, ...statuses] as const).map((status) => [
      status,
      { description: MEANINGS[status], content: { 'application/json': { schema: errorAnswer } } },
    ]),
  )
}
