import fastify from 'fastify'
import multipart from '@fastify/multipart'
import { addAccessControl } from './plugins/access.js'
import { addDocsRoutes } from './routes/docs.js'
import { addErrorAnswers, answerGarbage, answerUnroutable } from './plugins/errors.js'
import { addHealthRoutes } from './routes/health.js'
import { addMetrics } from './routes/metrics.js'
import { addOpenApi } from './plugins/openapi.js'
import { addRequestLog } from './plugins/request-log.js'
import { addReportRoutes } from './routes/reports.js'
import { addTaskEventRoute } from './routes/task-events.js'
import { addTaskRoutes } from './routes/tasks.js'
import { ApiError } from './api-error.js'
import { compileSerializer, compileValidator } from './validation.js'
import { createAllowedTasks } from './allowed-tasks.js'
import { InvalidJsonError } from '../serialization/errors.js'
import { MOST_UPLOAD_BYTES } from './save-upload.js'
import { parseJson } from '../serialization/json.js'
import type { ApiServer } from './api-server.js'
import type { Celery } from '../index.js'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'

export interface ApiParts {
  readonly app: Celery
  /** Whoever sends one of them as a bearer token may ask. @default none: requests from this machine only */
  readonly tokens?: readonly string[]
  /**
   * Tasks that callers may send although they are not registered in the app; `*` stands for any text.
   *
   * @default none
   */
  readonly allowedTasks?: readonly string[]
  /** Where workers write finished reports, and read uploads from its folder `uploads`. */
  readonly artifactDir: string
  /** Queues whose length `/metrics` tells. @default those of the settings and of registered tasks */
  readonly queues?: readonly string[]
  /** Seconds for which `/metrics` tells of workers that have gone; 0: for ever. @default 600 */
  readonly purgeOfflineWorkers?: number
}

const MOST_BODY_BYTES = 1024 ** 2
const LONGEST_NAME = 255

/** The HTTP API, not listening. `close()` answers those who wait, and leaves the app open. */
export async function buildServer(parts: ApiParts): Promise<ApiServer> {
  const { app, tokens = [], allowedTasks = [], artifactDir } = parts
  const server = fastify({
    bodyLimit: MOST_BODY_BYTES,
    routerOptions: { maxParamLength: LONGEST_NAME * 3 },
    frameworkErrors: answerUnroutable,
    clientErrorHandler: answerGarbage,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
  }).withTypeProvider<ZodTypeProvider>()
  server.setValidatorCompiler(compileValidator)
  server.setSerializerCompiler(compileSerializer)

  const closing = new AbortController()
  server.addHook('preClose', (done) => {
    closing.abort()
    done()
  })
  // Those whose answer was under way at the close keep their connection open for more, which would hold it up.
  server.addHook('onResponse', (_request, _reply, done) => {
    if (closing.signal.aborted) setImmediate(() => server.server.closeIdleConnections())
    done()
  })

  server.addHook('onRequest', (_request, reply, done) => {
    reply.headers({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    })
    done()
  })
  addErrorAnswers(server, app.log)
  addRequestLog(server, app.log)
  addAccessControl(server, tokens)
  acceptBodies(server)
  addOpenApi(server, { needsToken: tokens.length > 0 })
  // Behind OpenAPI in the same queue of plugins: it sees the routes that are added after it has loaded.
  await server.after()

  const checkAllowed = createAllowedTasks(app, allowedTasks)
  addHealthRoutes(server, app)
  const { queues = queuesOf(app), purgeOfflineWorkers = 600 } = parts
  addMetrics(server, { app, queues, purgeOfflineWorkers })
  addTaskRoutes(server, { app, checkAllowed, closing: closing.signal })
  addTaskEventRoute(server, { app, closing: closing.signal })
  addReportRoutes(server, { app, checkAllowed, artifactDir })
  addDocsRoutes(server)
  await server.ready()
  return server
}

/** JSON as Celery reads it, so that integers keep all their digits, and forms with a file. Nothing else. */
function acceptBodies(server: ApiServer): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (_request, text, done) => {
    if (text.trim() === '') return done(null, undefined)
    try {
      done(null, parseJson(text))
    } catch (error) {
      if (!(error instanceof InvalidJsonError)) throw error
      done(new ApiError(400, 'INVALID_JSON', error.message, { cause: error }))
    }
  })
  server.register(multipart, {
    limits: { fileSize: MOST_UPLOAD_BYTES, files: 2, fields: 20, parts: 22, fieldSize: 64 * 1024 },
  })
}

function queuesOf({ settings, tasks }: Celery): string[] {
  const ofTasks = [...tasks.values()].flatMap(({ options }) =>
    options.queue === undefined ? [] : [options.queue],
  )
  return [...new Set([settings.taskDefaultQueue, ...(settings.taskQueues ?? []), ...ofTasks])]
}
