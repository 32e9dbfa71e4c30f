import { expect, it } from 'vitest'
import { testApp } from '../../support/test-app.js'
import type { WorkerOptions } from '../../../src/app/worker-options.js'

/** A value that each option must not have. */
const WRONG: Readonly<Record<keyof WorkerOptions, readonly [value: unknown, fault: string]>> = {
  queues: ['a', 'a list of one name or more, got string "a"'],
  pool: ['gevent', 'async, solo, threads or processes, got string "gevent"'],
  concurrency: [0, 'an integer, 1 or more, got number 0'],
  autoscale: [{ max: 2, min: 5 }, 'integers, max 1 or more and min from 0 to max'],
  appModule: [5, 'the path or URL of a module, got number 5'],
  childEnv: [{ PORT: 80 }, 'environment variables by their names, got object (Object)'],
  prefetchMultiplier: [-1, 'an integer, 0 or more, got number -1'],
  hostname: [5, 'a non-empty string, got number 5'],
  mingle: ['no', 'true or false, got string "no"'],
  gossip: [1, 'true or false, got number 1'],
  taskEvents: ['on', 'true or false, got string "on"'],
  heartbeatInterval: [NaN, 'seconds, 0 or more, got number NaN'],
  httpPort: [65_536, 'an integer from 0 to 65535, got number 65536'],
  httpHost: ['', 'a non-empty string, got string ""'],
  genericHostname: ['yes', 'true or false, got string "yes"'],
}

it.each<readonly [options: object, fault: string]>([
  ...Object.entries(WRONG).map(
    ([name, [value, fault]]) => [{ [name]: value }, `${name}: expected ${fault}`] as const,
  ),
  [{ queus: ['a'] }, 'queus: unknown option of a worker; did you mean queues?'],
  [{ queues: [] }, 'queues: expected a list of one name or more, got array of 0'],
  [{ queues: [1] }, 'queues: expected a list of one name or more, got array of 1'],
  [{ queues: [''] }, 'queues: expected a list of one name or more, got array of 1'],
  [{ childEnv: 'PATH' }, 'childEnv: expected environment variables by their names, got string "PATH"'],
  [{ prefetchMultiplier: 1.5 }, 'prefetchMultiplier: expected an integer, 0 or more, got number 1.5'],
  [{ heartbeatInterval: -1 }, 'heartbeatInterval: expected seconds, 0 or more, got number -1'],
  [{ httpPort: -1 }, 'httpPort: expected an integer from 0 to 65535, got number -1'],
  [{ httpPort: 80.5 }, 'httpPort: expected an integer from 0 to 65535, got number 80.5'],
  [
    { hostname: '', mingle: 'no' },
    'hostname: expected a non-empty string, got string ""\nmingle: expected true or false, got string "no"',
  ],
])('a worker with %j is refused by name and value', async (options, fault) => {
  const app = testApp('memory://')
  let inits = 0
  app.on('workerReady', () => inits++)
  await expect(app.startWorker(options as never)).rejects.toThrow(fault)
  expect(inits).toBe(0)
})
