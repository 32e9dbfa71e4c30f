import { expect, it, vi } from 'vitest'
import { Celery } from '../../../src/index.js'
import { createLogicalClock } from '../../../src/logical-clock.js'
import { formatEnvelope } from '../../../src/serialization/format-envelope.js'
import { recordingLog } from '../../support/recording-log.js'
import { startGossip } from '../../../src/worker/remote-control/gossip.js'

it('gossip tells which workers join, leave and are lost, itself and odd events aside', async () => {
  const log = recordingLog()
  const app = new Celery('gossip', { broker: 'memory://' })
  const { fanout } = app.broker
  const [exchange, routingKey] = ['celeryev', 'worker.x']
  const own = { logicalClock: createLogicalClock(), hostname: 'me@here', lookEveryMs: 20 }
  const gossip = startGossip({ fanout, exchange, log, ...own })
  await gossip.established
  const tell = async (event: object): Promise<void> => {
    const payload = JSON.stringify({ clock: 1, timestamp: 1, pid: 7, ...event })
    const content = { payload, contentType: 'application/json', contentEncoding: 'utf-8' }
    await fanout.publish({
      exchange,
      routingKey,
      envelope: formatEnvelope({ ...content, exchange, routingKey }),
    })
  }
  for (const hostname of ['a@x', 'b@x', 'me@here', 'a@x'])
    await tell({ type: 'worker-heartbeat', hostname, freq: 0.05 })
  await tell({ type: 'worker-offline', hostname: 'b@x' })
  await tell({ type: 'worker-offline', hostname: 'never heard of' })
  const said = (): string[] => log.lines.map(({ message }) => message)
  await vi.waitFor(() =>
    expect(said()).toEqual([
      'a@x joined the party',
      'b@x joined the party',
      'b@x left',
      'missed heartbeat from a@x',
    ]),
  )
  await tell({ type: 'worker-online', hostname: 'a@x', freq: 1000 })
  await vi.waitFor(() => expect(said().at(-1)).toBe('a@x joined the party'))
  await gossip.stop()
  await tell({ type: 'worker-online', hostname: 'c@x' })
  expect(said()).toHaveLength(5)
  await app.close()
})
