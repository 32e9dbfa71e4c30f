// lovage-load.js fill BROKER BACKEND count bytes queues
// lovage-load.js work BROKER BACKEND concurrency queues
import type * as Lovage from '../../src/index.js'

const built = new URL('../../dist/index.js', import.meta.url).href
const { Celery } = (await import(built)) as typeof Lovage

const AT_ONCE = 200
/** With large messages fewer are under way, or the outbox would hold gigabytes. */
const BYTES_AT_ONCE = 20_000_000

const [role = '', broker = '', backend = '', ...sizes] = process.argv.slice(2)
const app = new Celery('bench', { broker, backend })
const length = app.task('bench.length', (text: string) => text.length)
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `load.${i}`)

switch (role) {
  case 'work': {
    const [concurrency = 1, queues = 1] = sizes.map(Number)
    await app.startWorker({ concurrency, queues: names(queues) })
    break
  }
  case 'fill': {
    const [count = 0, bytes = 0, queues = 1] = sizes.map(Number)
    const text = 'x'.repeat(bytes)
    const queueNames = names(queues)
    const most = Math.max(1, Math.min(AT_ONCE, Math.floor(BYTES_AT_ONCE / bytes)))
    for (let sent = 0; sent < count; sent += most) {
      const chunk = Array.from({ length: Math.min(most, count - sent) }, (_, i) => sent + i)
      await Promise.all(
        chunk.map((n) => length.applyAsync({ args: [text], queue: queueNames[n % queues] ?? '' })),
      )
    }
    await app.close()
    break
  }
  default:
    throw new Error(`unknown role ${role}`)
}
