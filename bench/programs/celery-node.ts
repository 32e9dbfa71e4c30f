// celery-node.js work|send|round-trip BROKER BACKEND [count [at once]]
import { setImmediate } from 'node:timers/promises'
import { createClient, createWorker } from 'celery-node'
import { measureRoundTrips } from './measure-round-trips.js'

const POLL_MS = 1

const [role = '', broker = '', backend = '', size = '', atOnce = ''] = process.argv.slice(2)
// Two lines a task; the others log nothing either.
console.info = () => undefined

switch (role) {
  case 'work': {
    const worker = createWorker(broker, backend)
    worker.register('bench.echo', (number: number) => number)
    void worker.start()
    break
  }
  case 'send': {
    const echo = createClient(broker, backend).createTask('bench.echo')
    for (let sent = 0; sent < Number(size); sent += 1) {
      echo.delay(sent)
      if (sent % Number(atOnce) === 0) await setImmediate()
    }
    break
  }
  case 'round-trip': {
    const echo = createClient(broker, backend).createTask('bench.echo')
    await measureRoundTrips(Number(size), (number) => echo.delay(number).get(undefined, POLL_MS))
    break
  }
  default:
    throw new Error(`unknown role ${role}`)
}
