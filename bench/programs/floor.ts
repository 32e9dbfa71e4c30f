// floor.js work|round-trip BROKER _ count: what a round trip costs that does nothing but wake, store and tell.
import { Redis } from 'ioredis'
import { measureRoundTrips } from './measure-round-trips.js'

const [role = '', url = '', , size = ''] = process.argv.slice(2)
const QUEUE = 'floor'
const TAKEN = 'floor.taken'
/** As long as a message of Celery's is. */
const FILLER = 'x'.repeat(900)

const resultOf = (number: number | '*'): string => `floor.result.${number}`

async function work(): Promise<void> {
  const [taker, teller] = [new Redis(url), new Redis(url)]
  for (;;) {
    const message = (await taker.blmove(QUEUE, TAKEN, 'RIGHT', 'LEFT', 0)) ?? ''
    const { number } = JSON.parse(message) as { readonly number: number }
    const result = String(number)
    void teller
      .pipeline()
      .set(resultOf(number), result, 'EX', 60)
      .publish(resultOf(number), result)
      .lrem(TAKEN, 1, message)
      .exec()
  }
}

async function call(): Promise<void> {
  const [sender, hearer] = [new Redis(url), new Redis(url)]
  const waiting = new Map<string, (result: string) => void>()
  // One subscription for all: with one for each, the result could be told before it is there.
  await hearer.psubscribe(resultOf('*'))
  hearer.on('pmessage', (_pattern, channel: string, result: string) => waiting.get(channel)?.(result))
  await measureRoundTrips(Number(size), async (number) => {
    const result = new Promise<string>((resolve) => waiting.set(resultOf(number), resolve))
    await sender.lpush(QUEUE, JSON.stringify({ number, filler: FILLER }))
    return Number(await result)
  })
}

await (role === 'work' ? work() : call())
