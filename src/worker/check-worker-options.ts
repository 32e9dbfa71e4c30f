import { z } from 'zod'
import { didYouMean } from '../did-you-mean.js'
import { describeValue, InvalidArgumentError } from '../errors.js'
import type { WorkerOptions } from '../app/worker-options.js'

const NAMES = 'a list of one name or more'
const MODULE = 'the path or URL of a module'
const POOL = 'async, solo, threads or processes'
const ENV = 'environment variables by their names'
const SECONDS = 'seconds, 0 or more'
const COUNT = 'an integer, 0 or more'
const PORT = 'an integer from 0 to 65535'
const flag = z.boolean('true or false').optional()
const text = z.string('a non-empty string').min(1, 'a non-empty string').optional()

/** What the pool checks by itself is passed over: it is changed while a worker runs, too. */
const checkedByPool = z.unknown()

const shape = {
  queues: z.array(z.string(NAMES).min(1, NAMES), NAMES).min(1, NAMES).optional(),
  pool: z.enum(['async', 'solo', 'threads', 'processes'], POOL).optional(),
  concurrency: checkedByPool,
  autoscale: checkedByPool,
  appModule: z.union([z.string(), z.instanceof(URL)], MODULE).optional(),
  childEnv: z.record(z.string(), z.string(ENV).optional(), ENV).optional(),
  prefetchMultiplier: z.number(COUNT).int(COUNT).min(0, COUNT).optional(),
  hostname: text,
  mingle: flag,
  gossip: flag,
  taskEvents: flag,
  heartbeatInterval: z.number(SECONDS).min(0, SECONDS).optional(),
  httpPort: z.number(PORT).int(PORT).min(0, PORT).max(65_535, PORT).optional(),
  httpHost: text,
  genericHostname: flag,
} satisfies Record<keyof WorkerOptions, z.ZodType>
const schema = z.strictObject(shape).partial()

/** @throws InvalidArgumentError with one line for each fault. */
export function checkWorkerOptions(options: WorkerOptions): void {
  const parsed = schema.safeParse(options)
  if (parsed.success) return
  const faults = parsed.error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map(unknownOption)
    const [name = ''] = issue.path.map(String)
    const value = describeValue(options[name as keyof WorkerOptions])
    return [`${name}: expected ${issue.message}, got ${value}`]
  })
  throw new InvalidArgumentError(faults.join('\n'))
}

function unknownOption(name: string): string {
  const meant = didYouMean(name, Object.keys(shape))
  return `${name}: unknown option of a worker${meant === undefined ? '' : `; did you mean ${meant}?`}`
}
