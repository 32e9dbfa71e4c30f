// lovage.js work|send|round-trip BROKER BACKEND [concurrency | count [at once]]
import type * as Lovage from '../../src/index.js'
import { measureRoundTrips } from './measure-round-trips.js'

// What is shipped is what is measured; this file runs from .cache/bench, as deep as bench/programs.
const built = new URL('../../dist/index.js', import.meta.url).href
const { Celery } = (await import(built)) as typeof Lovage

const [role = '', broker = '', backend = '', size = '', atOnce = '1'] = process.argv.slice(2)
const app = new Celery('bench', { broker, backend })
const echo = app.task('bench.echo', (number: number) => number)

switch (role) {
  case 'work':
    await app.startWorker({ concurrency: Number(size) })
    break
  case 'send': {
    const [count, most] = [Number(size), Number(atOnce)]
    for (let sent = 0; sent < count; sent += most) {
      const chunk = Math.min(most, count - sent)
      await Promise.all(Array.from({ length: chunk }, (_, i) => echo.delay(sent + i)))
    }
    break
  }
  case 'round-trip':
    await measureRoundTrips(Number(size), async (number) => (await echo.delay(number)).get())
    break
  default:
    throw new Error(`unknown role ${role}`)
}
