import { ApiError } from '../api-error.js'
import { bindParams } from '../../app/bind-arguments.js'
import { describeTask, taskState } from '../schemas/task-state.js'
import { EncodeError, InvalidArgumentError, type Celery } from '../../index.js'
import { errorAnswers } from '../schemas/error-answer.js'
import {
  followingTasks,
  sendOptions,
  taskCall,
  taskId,
  taskRevoked,
  taskSent,
  type TaskCall,
} from '../schemas/task-call.js'
import { lookUpTask } from '../look-up-task.js'
import { z } from 'zod'
import type { ApiServer } from '../api-server.js'
import type { CheckTaskAllowed } from '../allowed-tasks.js'

export interface TaskRouteParts {
  readonly app: Celery
  readonly checkAllowed: CheckTaskAllowed
  /** Aborts when the server is to stop: whoever waits is answered then. */
  readonly closing: AbortSignal
}

const LONGEST_WAIT_SECONDS = 60

export function addTaskRoutes(server: ApiServer, { app, checkAllowed, closing }: TaskRouteParts): void {
  addRevocation(server, app)
  server.route({
    method: 'POST',
    url: '/api/tasks/:name',
    schema: {
      summary: 'Send a task',
      description:
        'Puts a call into its queue. Any worker, in Python or here, that knows the name may run it.',
      tags: ['tasks'],
      params: z.object({ name: z.string().min(1) }),
      body: taskCall,
      response: { 202: taskSent, ...errorAnswers(400, 404, 409, 413, 415, 503) },
    },
    async handler(request, reply) {
      const { name } = request.params
      const call = request.body
      for (const each of [name, ...followingTasks(call)]) checkAllowed(each)
      checkArguments(app, name, call)
      const { id } = await send(app, name, call)
      return reply.code(202).send({ task_id: id, state: 'PENDING', status_url: `/api/tasks/${id}` })
    },
  })

  server.route({
    method: 'GET',
    url: '/api/tasks/:id',
    schema: {
      summary: 'What became of a task',
      tags: ['tasks'],
      params: z.object({ id: taskId }),
      querystring: z.strictObject({
        wait: z.coerce
          .number()
          .min(0)
          .max(LONGEST_WAIT_SECONDS)
          .default(0)
          .describe('Seconds to wait for its end; the answer comes as soon as it has ended.'),
      }),
      response: { 200: taskState, ...errorAnswers(400, 501, 503) },
    },
    async handler(request, reply) {
      const { id } = request.params
      const gone = new AbortController()
      reply.raw.once('close', () => gone.abort())
      const meta = await lookUpTask(app.backend, id, {
        waitMs: request.query.wait * 1000,
        signal: AbortSignal.any([gone.signal, closing]),
      })
      return describeTask(id, meta)
    },
  })
}

function addRevocation(server: ApiServer, app: Celery): void {
  server.route({
    method: 'DELETE',
    url: '/api/tasks/:id',
    schema: {
      summary: 'Revoke a task',
      description:
        'It does not run any more, whichever worker has it. One that runs already goes on unless `terminate` says so.',
      tags: ['tasks'],
      params: z.object({ id: taskId }),
      querystring: z.strictObject({
        terminate: z.enum(['true', 'false']).default('false').describe('End it where it runs.'),
      }),
      response: { 202: taskRevoked, ...errorAnswers(400, 503) },
    },
    async handler(request, reply) {
      const { id } = request.params
      await app.control.revoke(id, { terminate: request.query.terminate === 'true' })
      return reply.code(202).send({ task_id: id, status_url: `/api/tasks/${id}` })
    },
  })
}

/** @throws ApiError 400 where the task is registered and says that these arguments do not fit. */
function checkArguments(app: Celery, name: string, { args, kwargs }: TaskCall): void {
  const params = app.tasks.get(name)?.options.params
  if (params === undefined) return
  try {
    bindParams(name, params, args, kwargs)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new ApiError(400, 'INVALID_PARAMS', error.message, { details: [error.message], cause: error })
  }
}

async function send(app: Celery, name: string, call: TaskCall): Promise<{ readonly id: string }> {
  try {
    return await app.sendTask(name, call.args, call.kwargs, sendOptions(call))
  } catch (error) {
    // The schema cannot know everything that a serializer refuses.
    if (!(error instanceof EncodeError || error instanceof InvalidArgumentError)) throw error
    throw new ApiError(400, 'INVALID_REQUEST', error.message, { cause: error })
  }
}
