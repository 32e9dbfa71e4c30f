import { describeTask, type TaskState } from '../schemas/task-state.js'
import { errorAnswers } from '../schemas/error-answer.js'
import { formatAnswer } from '../format-answer.js'
import { isReady } from '../../serialization/states.js'
import { PassThrough, type Writable } from 'node:stream'
import { taskId } from '../schemas/task-call.js'
import { z } from 'zod'
import type { ApiServer } from '../api-server.js'
import type { Celery } from '../../index.js'

export interface TaskEventParts {
  readonly app: Celery
  /** Aborts when the server is to stop: streams end then. */
  readonly closing: AbortSignal
  /** Milliseconds between comments that keep proxies from closing a silent stream. @default 15000 */
  readonly keepAliveMs?: number
}

export function addTaskEventRoute(server: ApiServer, parts: TaskEventParts): void {
  const { app, closing, keepAliveMs = 15_000 } = parts
  server.route({
    method: 'GET',
    url: '/api/tasks/:id/events',
    schema: {
      summary: 'Follow a task',
      description:
        'Server-sent events: `state` now and on every change, `end` at the last. Their data is what ' +
        '`GET /api/tasks/{id}` answers.',
      tags: ['tasks'],
      params: z.object({ id: taskId }),
      response: {
        200: { description: 'A stream of events.', content: { 'text/event-stream': { schema: z.string() } } },
        ...errorAnswers(400, 501, 503),
      },
    },
    async handler(request, reply) {
      const { id } = request.params
      // Asked before the stream begins: later there is no status to answer with.
      const first = describeTask(id, await app.backend.fetch(id))
      const stream = new PassThrough()
      const gone = new AbortController()
      reply.raw.once('close', () => gone.abort())
      const keepAlive = setInterval(() => stream.write(': keep-alive\n\n'), keepAliveMs)
      void follow(app, first, stream, AbortSignal.any([gone.signal, closing])).finally(() => {
        clearInterval(keepAlive)
        stream.end()
      })
      return reply
        .type('text/event-stream')
        .header('x-accel-buffering', 'no')
        .serializer((text: string) => text)
        .send(stream as never)
    },
  })
}

/** Write every state until the last. Never rejects: a stream that breaks off ends, and its reader comes again. */
async function follow(app: Celery, first: TaskState, stream: Writable, signal: AbortSignal): Promise<void> {
  let last = ''
  const write = (state: TaskState): void => {
    const data = formatAnswer(state)
    if (data === last) return
    last = data
    stream.write(`event: state\ndata: ${data}\n\n`)
    if (state.ready) stream.write(`event: end\ndata: ${data}\n\n`)
  }
  write(first)
  if (first.ready) return
  try {
    for await (const meta of app.backend.updates(first.task_id, { signal })) {
      write(describeTask(first.task_id, meta))
      if (isReady(meta.status)) return
    }
  } catch (error) {
    if (!signal.aborted)
      app.log.warn({ err: error, taskId: first.task_id }, 'a stream of task events broke off')
  }
}
