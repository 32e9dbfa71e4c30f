import { expect, it, vi } from 'vitest'
import { addPytasks } from '../events/pytasks.js'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startCeleryExporter } from '../../support/celery-exporter.js'
import { startPythonWorker } from '../../support/python-worker.js'
import { testApp } from '../../support/test-app.js'

const WITHIN = { timeout: 60_000, interval: 200 }
const QUEUES = ['js', 'py']

it('celery-exporter counts the tasks of a Python worker and ours alike', async () => {
  const { url } = await startRedis()
  const redis = redisClient(url)
  const metrics = await startCeleryExporter(url)
  await eventually(async () => Number(await redis.pubsub('NUMPAT')) > 0, { timeoutMs: 60_000 })
  const app = testApp(url, { taskSendSentEvent: true })
  addPytasks(app)
  for (const queue of QUEUES) {
    await app.sendTask('pytasks.add', [2, 3], {}, { queue })
    await app.sendTask('pytasks.fail', ['no'], {}, { queue })
    await app.sendTask('pytasks.retry_once', ['late'], {}, { queue })
  }

  // It knows the queue of a task from its sender, who is heard later than a fast worker at times.
  await vi.waitFor(async () => {
    const sent = [
      ...(await metrics()).matchAll(/^celery_task_sent_total\{.*queue_name="(?:js|py)"\} 1\.0$/gm),
    ]
    expect(sent).toHaveLength(6)
  }, WITHIN)
  await using _worker = await app.startWorker({ queues: ['js'], hostname: 'js@ours', taskEvents: true })
  await startPythonWorker({ broker: url, queues: ['py'], name: 'py', args: ['--task-events'] })

  /** Series of one of the two with their values, but for times and what is of the exporter's making. */
  const seriesOf = async (host: string, queue: string): Promise<string[]> =>
    (await metrics())
      .split('\n')
      .filter((line) => line.includes(`hostname="${host}"`) && !/_created|_bucket|_sum|wait_time/.test(line))
      .map((line) => line.replace(host, 'HOST').replace(`queue_name="${queue}"`, 'queue_name="QUEUE"'))
      .toSorted()
  await vi.waitFor(async () => {
    const [ours, theirs] = [await seriesOf('ours', 'js'), await seriesOf('interop', 'py')]
    expect(ours).toEqual(theirs)
    const all = ours.join('\n')
    expect(all).toContain('celery_worker_up{hostname="HOST"} 1.0')
    for (const [what, task, count] of [
      ['received', 'add', 1],
      ['succeeded', 'add', 1],
      ['failed', 'fail', 1],
      ['retried', 'retry_once', 1],
      ['succeeded', 'retry_once', 1],
    ] as const)
      expect(all).toMatch(
        new RegExp(`celery_task_${what}_total\\{[^}]*name="pytasks\\.${task}"[^}]*\\} ${count}\\.0`),
      )
    expect(all).toContain('exception="ValueError"')
  }, WITHIN)
})
