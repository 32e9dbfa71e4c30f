import { startApi } from '../api/start-api.js'
import { startBeat } from '../beat/start-beat.js'
import type { Service } from '../service.js'

export interface RunningService {
  /** Where the API listens. */
  readonly url: string
  stop(): Promise<void>
}

/** API, worker and beat of one app in this process: what `memory://` needs, which nobody else can reach. */
export async function startInOneProcess({ app, environment, queues }: Service): Promise<RunningService> {
  const { api, artifactDir } = environment
  const server = await startApi({ app, artifactDir, queues, ...api })
  const worker = await app.startWorker({ queues })
  const beat = await startBeat(app)
  return {
    url: server.url,
    async stop() {
      // First whoever brings new work.
      await Promise.all([server.stop(), beat.stop()])
      await worker.stop()
      await app.close()
    },
  }
}
