import { randomUUID } from 'node:crypto'
import { expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import type { Broker } from '../../../src/broker/broker.js'
import type { Listening } from '../../../src/broker/fanout.js'

const WITHIN = { timeout: 10_000, interval: 20 }

/** What fanout does, whatever it is made of. */
export function describeFanout(makeBroker: () => Promise<Broker>): void {
  const listen = async (
    broker: Broker,
    exchange: string,
    routingKey: string,
  ): Promise<{ heard: string[]; listening: Listening }> => {
    const heard: string[] = []
    const onMessage = (envelope: string): void => void heard.push(envelope)
    const queue = `${exchange}.${randomUUID()}`
    const listening = broker.fanout.listen({ exchange, routingKey, queue, onMessage })
    await listening.established
    atTestEnd(() => listening.stop())
    return { heard, listening }
  }

  it('hands a message to all who listen to its exchange and routing key, in order, and to nobody else', async () => {
    const broker = await makeBroker()
    const all = await listen(broker, 'ev', '#')
    const alsoAll = await listen(broker, 'ev', '#')
    const some = await listen(broker, 'ev', 'task.#')
    const other = await listen(broker, 'other', '#')
    const unkeyed = await listen(broker, 'ev', '')
    for (const routingKey of ['task.sent', 'worker.online', 'task.multi', ''])
      await broker.fanout.publish({ exchange: 'ev', routingKey, envelope: `<${routingKey}>` })
    await broker.fanout.publish({ exchange: 'other', routingKey: 'end', envelope: '<end>' })
    await vi.waitFor(() => expect(other.heard).toEqual(['<end>']), WITHIN)
    await vi.waitFor(() => expect(unkeyed.heard).toEqual(['<>']), WITHIN)
    expect(all.heard).toEqual(['<task.sent>', '<worker.online>', '<task.multi>'])
    expect(alsoAll.heard).toEqual(all.heard)
    expect(some.heard).toEqual(['<task.sent>', '<task.multi>'])
  })

  it('hands over nothing to who has stopped to listen, while others go on', async () => {
    const broker = await makeBroker()
    const [one, two] = [await listen(broker, 'ev', '#'), await listen(broker, 'ev', '#')]
    await one.listening.stop()
    await broker.fanout.publish({ exchange: 'ev', routingKey: 'x', envelope: '1' })
    await vi.waitFor(() => expect(two.heard).toEqual(['1']), WITHIN)
    expect(one.heard).toEqual([])
  })
}
