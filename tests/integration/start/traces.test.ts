import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { SpanKind } from '@opentelemetry/api'
import { PROJECT } from '../../support/code-blocks.js'
import { startProcess } from '../../support/start-process.js'
import { startRedis } from '../../support/redis-server.js'
import { tempDir } from '../../support/temp-dir.js'

const TRACING = fileURLToPath(new URL('tracing.js', import.meta.url))

it('row 43: the bundled service has spans where its process was started with OpenTelemetry, in children too', async () => {
  const { url } = await startRedis()
  const started = {
    cwd: await tempDir(),
    env: { REDIS_URL: url, NODE_OPTIONS: `--import=${TRACING}` },
  }
  const dist = (file: string): string => `${PROJECT}/dist/${file}`
  const worker = startProcess(process.execPath, [dist('worker.js'), '-P', 'processes', '-c', '1'], started)
  await worker.waitForLine(/ready\./)
  const call = ['-b', url, 'call', 'demo.add', '-a', '[1, 2]']
  const sender = startProcess(process.execPath, [dist('cli/main.js'), ...call], started)
  await sender.waitForLine(new RegExp(`^span apply_async/demo\\.add ${SpanKind.PRODUCER}$`))
  await worker.waitForLine(new RegExp(`^span run/demo\\.add ${SpanKind.CONSUMER}$`))
  expect(await worker.stop()).toMatchObject({ code: 0 })
})
