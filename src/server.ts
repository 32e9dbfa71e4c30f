#!/usr/bin/env node
import { ListenError, startApi } from './api/start-api.js'
import { serviceFromEnvironment } from './service.js'
import { stopRequested } from './stop-requested.js'

const { app, environment, log, queues } = await serviceFromEnvironment('web')
const { api, artifactDir } = environment
try {
  const server = await startApi({ app, artifactDir, queues, ...api })
  log.info({ url: server.url }, `listening on ${server.url}`)
  // Whoever has started this process with a channel, as `npm start` does, learns that requests are taken.
  process.send?.({ url: server.url })
  await stopRequested(log)
  await server.stop()
} catch (error) {
  if (!(error instanceof ListenError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
} finally {
  await app.close()
}
