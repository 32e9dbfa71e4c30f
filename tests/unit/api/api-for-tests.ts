import { onTestFinished } from 'vitest'
import { Celery } from '../../../src/index.js'
import { buildServer, type ApiParts } from '../../../src/api/build-server.js'
import { resolveAcceptContent } from '../../../src/serialization/serializers.js'
import { decodeTaskMessage, type TaskMessage } from '../../../src/serialization/task-message.js'
import { formatResultMeta, type OutgoingResultMeta } from '../../../src/serialization/result-meta.js'
import { parseEnvelope } from '../../../src/serialization/envelope.js'
import { recordingLog, type RecordingLog } from '../../support/recording-log.js'
import type { ApiServer } from '../../../src/api/api-server.js'

export interface TestApi {
  readonly app: Celery
  readonly server: ApiServer
  readonly log: RecordingLog
  /** What callers have sent to a queue, in its order; taken off it. */
  readonly sent: (queue?: string) => Promise<TaskMessage[]>
  /** Store what a worker would. */
  readonly store: (meta: OutgoingResultMeta) => Promise<void>
}

/** An API on an app of its own, in memory; closed when the test ends. */
export async function apiForTests(
  parts: Partial<ApiParts> & { readonly register?: (app: Celery) => void } = {},
): Promise<TestApi> {
  const { register, ...others } = parts
  const log = recordingLog()
  const app = others.app ?? new Celery('test', { broker: 'memory://', backend: 'memory://', log })
  register?.(app)
  const server = await buildServer({ artifactDir: '/nowhere', ...others, app })
  onTestFinished(async () => {
    await server.close()
    await app.close()
  })
  return {
    app,
    server,
    log,
    async sent(queue = 'celery') {
      const consumer = app.broker.consumer({ queues: [queue], consumerId: 'test' })
      const { deliveries } = await consumer.claim(100)
      return deliveries.map(({ envelope }) =>
        decodeTaskMessage(parseEnvelope(envelope), { acceptContent: resolveAcceptContent(['json']) }),
      )
    },
    store: (meta) =>
      app.backend.store([{ taskId: meta.taskId, text: formatResultMeta(meta), expiresSeconds: 0 }]),
  }
}
