import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import type { Broker } from '../../../src/broker/broker.js'

const EXCHANGE = 'reply.celery.pidbox'

/** What every broker does with replies. */
export function describeReplies(makeBroker: () => Promise<Broker>): void {
  describe('replies', () => {
    it('reach who waits, in their order, and nobody who has left', async () => {
      const broker = await makeBroker()
      const got: string[] = []
      const queue = await broker.replies.receive(EXCHANGE, (envelope) => got.push(envelope))
      expect(await broker.replies.send(queue.address, 'one')).toBe(true)
      expect(await broker.replies.send(queue.address, 'two')).toBe(true)
      await vi.waitFor(() => expect(got).toEqual(['one', 'two']))
      await queue.close()
      expect(await broker.replies.send(queue.address, 'late')).toBe(false)
      expect(await broker.replies.send({ ...queue.address, routingKey: randomUUID() }, 'nobody')).toBe(false)
    })

    it('reach at once who asks again', async () => {
      const broker = await makeBroker()
      for (let round = 0; round < 3; round++) {
        let take: (envelope: string) => void = () => undefined
        const reply = new Promise<string>((resolve) => (take = resolve))
        const queue = await broker.replies.receive(EXCHANGE, (envelope) => take(envelope))
        const from = performance.now()
        await broker.replies.send(queue.address, `round ${round}`)
        expect(await reply).toBe(`round ${round}`)
        // Popping waits for up to a second, for the same queue.
        expect(performance.now() - from).toBeLessThan(900)
        await queue.close()
      }
    })
  })
}
