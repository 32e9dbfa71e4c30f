import { expect, it } from 'vitest'
import { testApp } from '../../support/test-app.js'

it.each([
  [{ queus: ['a'] }, 'queus: unknown option of a worker; did you mean queues?'],
  [{ queues: 'a' }, 'queues: expected a list of one name or more, got string "a"'],
  [{ queues: [] }, 'queues: expected a list of one name or more, got array of 0'],
  [{ queues: [1] }, 'queues: expected a list of one name or more, got array of 1'],
  [{ pool: 'gevent' }, 'pool: expected async, solo, threads or processes, got string "gevent"'],
  [{ appModule: 5 }, 'appModule: expected the path or URL of a module, got number 5'],
  [{ prefetchMultiplier: -1 }, 'prefetchMultiplier: expected an integer, 0 or more, got number -1'],
  [{ hostname: 5 }, 'hostname: expected a non-empty string, got number 5'],
  [{ mingle: 'no' }, 'mingle: expected true or false, got string "no"'],
  [{ heartbeatInterval: NaN }, 'heartbeatInterval: expected seconds, 0 or more, got number NaN'],
  [{ httpPort: 65_536 }, 'httpPort: expected an integer from 0 to 65535, got number 65536'],
  [{ concurrency: 0 }, 'concurrency: expected an integer, 1 or more, got number 0'],
  [{ autoscale: { max: 2, min: 5 } }, 'autoscale: expected integers, max 1 or more and min from 0 to max'],
])('a worker with %j is refused by name and value', async (options, fault) => {
  const app = testApp('memory://')
  let inits = 0
  app.on('workerReady', () => inits++)
  await expect(app.startWorker(options as never)).rejects.toThrow(fault)
  expect(inits).toBe(0)
})
