import { ApiError } from '../api-error.js'
import { formatAnswer } from '../format-answer.js'
import { toApiError } from '../to-api-error.js'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '../../log.js'
import type { Socket } from 'node:net'
import type { ApiServer } from '../api-server.js'

/** Answer every error as `{error: {code, message, details?}}`, and a known URL asked in a wrong way with 405. */
export function addErrorAnswers(server: ApiServer, log: Log): void {
  const routes: { readonly matcher: RegExp; readonly method: string }[] = []
  server.addHook('onRoute', ({ url, method }) => {
    for (const each of [method].flat()) routes.push({ matcher: matcherOf(url), method: each })
  })

  server.setErrorHandler((error, request, reply) => {
    const answer = toApiError(error)
    if (answer.status >= 500) {
      const fields = { method: request.method, route: request.routeOptions.url, code: answer.code }
      log.error({ ...fields, err: answer.cause ?? answer }, 'a request failed')
    }
    return sendError(reply, answer)
  })

  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const allowed = new Set(routes.filter(({ matcher }) => matcher.test(path)).map(({ method }) => method))
    if (allowed.size === 0) {
      return sendError(reply, new ApiError(404, 'NOT_FOUND', `there is nothing at ${path}`))
    }
    const allow = [...allowed].join(', ')
    return sendError(
      reply,
      new ApiError(405, 'METHOD_NOT_ALLOWED', `${path} answers ${allow}, not ${request.method}`, {
        headers: { allow },
      }),
    )
  })
}

/** What cannot be routed at all, such as a URL with a broken escape. */
export function answerUnroutable(error: Error, _request: FastifyRequest, reply: FastifyReply): void {
  void sendError(reply, toApiError(error))
}

/** What is not even HTTP. */
export function answerGarbage(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const status = isTooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'
  const body = errorBody(
    isTooLarge
      ? new ApiError(431, 'HEADERS_TOO_LARGE', 'the headers are too large')
      : new ApiError(400, 'BAD_REQUEST', 'this is not HTTP'),
  )
  const head = `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nContent-Type: application/json\r\n`
  if (socket.writable) socket.write(`${head}Connection: close\r\n\r\n${body}`)
  socket.destroySoon()
}

function sendError(reply: FastifyReply, error: ApiError): FastifyReply {
  // As text, so that an answer that a route's schema does not know is not refused.
  return reply
    .code(error.status)
    .headers(error.headers)
    .type('application/json; charset=utf-8')
    .serializer((text: string) => text)
    .send(errorBody(error))
}

function errorBody({ code, message, details }: ApiError): string {
  return formatAnswer({ error: { code, message, details } })
}

/** `/api/tasks/:id` as a pattern of the paths it stands for. */
function matcherOf(url: string): RegExp {
  const steps = url
    .split('/')
    .map((step) => (step.startsWith(':') ? '[^/]+' : step.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
  return new RegExp(`^${steps.join('/')}$`)
}
