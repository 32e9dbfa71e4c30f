// lovage.js work|send|round-trip|group|chord BROKER BACKEND [concurrency | count [at once] | size]
import type * as Lovage from '../../src/index.js'
import { measureCanvas } from './measure-canvas.js'
import { measureRoundTrips } from './measure-round-trips.js'

// What is shipped is what is measured; this file runs from .cache/bench, as deep as bench/programs.
const built = new URL('../../dist/index.js', import.meta.url).href
const { Celery, chord, group } = (await import(built)) as typeof Lovage

const [role = '', broker = '', backend = '', size = '', atOnce = '1'] = process.argv.slice(2)
const app = new Celery('bench', { broker, backend })
const echo = app.task('bench.echo', (number: number) => number)
const total = app.task('bench.total', (numbers: number[]) => numbers.reduce((sum, number) => sum + number, 0))
const header = (count: number) => Array.from({ length: count }, (_, i) => echo.s(i))

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
  case 'group':
    await measureCanvas(Number(size), async (count) => {
      const results = await (await group(header(count)).applyAsync()).get()
      return results.reduce((sum, number) => sum + number, 0)
    })
    break
  case 'chord':
    await measureCanvas(Number(size), async (count) =>
      (await chord(header(count), total.s()).applyAsync()).get(),
    )
    break
  default:
    throw new Error(`unknown role ${role}`)
}
