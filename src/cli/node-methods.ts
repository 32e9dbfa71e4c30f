import { UsageError } from './errors.js'

export type MethodArguments = Readonly<Record<string, unknown>>

/** A command of remote control as one types it: Celery's names, words and order. */
export interface NodeMethod {
  /** Its words, as in a help text. */
  readonly usage: string
  readonly about: string
  /** @throws UsageError for a word that is none of its own. Too few and too many are refused before. */
  readonly read: (words: readonly string[]) => MethodArguments
}

export type NodeMethods = Readonly<Record<string, NodeMethod>>

export const INSPECT_METHODS: NodeMethods = {
  active: plain('tasks that run'),
  active_queues: plain('queues that are consumed'),
  clock: plain('the logical clock'),
  conf: {
    usage: '[include_defaults]',
    about: 'settings that were changed, or all of them',
    read: ([all]) => ({ with_defaults: all !== undefined && !/^(?:0|no|false)$/i.test(all) }),
  },
  memdump: {
    usage: '[n_samples]',
    about: 'how much memory is in use',
    read: ([samples]) => optional('samples', samples, readWhole),
  },
  memsample: plain('how much memory is in use'),
  objgraph: {
    usage: '[object_type] [num] [max_depth]',
    about: 'a graph of objects, of Python workers',
    read: ([type, num, depth]) => ({
      ...optional('type', type, String),
      ...optional('num', num, readWhole),
      ...optional('max_depth', depth, readWhole),
    }),
  },
  ping: plain('whether it is there'),
  query_task: { usage: '<id> [...]', about: 'what it knows of tasks', read: (ids) => ({ ids }) },
  registered: {
    usage: '[attribute] [...]',
    about: 'names of tasks, with attributes such as rate_limit',
    read: (taskinfoitems) => ({ taskinfoitems }),
  },
  report: plain('versions and settings, for reports of bugs'),
  reserved: plain('tasks that wait for a slot'),
  revoked: plain('ids of revoked tasks'),
  scheduled: plain('tasks whose ETA has not come'),
  stats: plain('what it has done, and with what'),
}

export const CONTROL_METHODS: NodeMethods = {
  add_consumer: {
    usage: '<queue> [exchange] [type] [routing_key]',
    about: 'consume from one more queue',
    read: ([queue, exchange, type, routingKey]) => ({
      queue,
      exchange: exchange ?? null,
      exchange_type: type ?? 'direct',
      routing_key: routingKey ?? null,
    }),
  },
  autoscale: {
    usage: '[max] [min]',
    about: 'change the limits of the autoscaler',
    read: ([max, min]) => ({ ...optional('max', max, readWhole), ...optional('min', min, readWhole) }),
  },
  cancel_consumer: { usage: '<queue>', about: 'consume from it no more', read: ([queue]) => ({ queue }) },
  disable_events: plain('send no events of tasks'),
  election: {
    usage: '<id> <topic> [action]',
    about: 'refused: Python workers die of it',
    read: () => {
      throw new UsageError(
        'election is not here: Python workers die of it, and ours hold none; to have one of many do something, send a task',
      )
    },
  },
  enable_events: plain('send events of tasks'),
  heartbeat: plain('send a heartbeat now'),
  pool_grow: { usage: '[n]', about: 'add slots', read: ([n = '1']) => ({ n: readWhole(n) }) },
  pool_restart: plain('replace the children of the pool; needs worker_pool_restarts'),
  pool_shrink: { usage: '[n]', about: 'take slots away', read: ([n = '1']) => ({ n: readWhole(n) }) },
  rate_limit: {
    usage: '<task> <rate>',
    about: 'so many a second, or as 5/m or 5/h; 0: any number',
    read: ([task, rate]) => ({ task_name: task, rate_limit: rate === '0' ? 0 : rate }),
  },
  revoke: { usage: '<id> [...]', about: 'have tasks not run', read: (ids) => ({ task_id: ids }) },
  revoke_by_stamped_headers: {
    usage: '<header=value> [...]',
    about: 'have tasks not run that carry these stamps',
    read: (pairs) => {
      const wrong = pairs.find((pair) => !/^[^=]+=./.test(pair))
      if (wrong !== undefined) throw new UsageError(`expected header=value, got ${JSON.stringify(wrong)}`)
      return { headers: pairs }
    },
  },
  shutdown: plain('stop, when what runs has ended'),
  terminate: {
    usage: '<signal> <id> [...]',
    about: 'have tasks not run, and end them where they do',
    read: ([signal, ...ids]) => ({ signal, task_id: ids }),
  },
  time_limit: {
    usage: '<task> <soft_secs> [hard_secs]',
    about: 'change the time limits of a task',
    read: ([task, soft = '', hard]) => ({
      task_name: task,
      soft: readSeconds(soft),
      ...optional('hard', hard, readSeconds),
    }),
  },
}

/** Celery's older names, which still answer, and what it does not show. */
export const OLD_METHODS: NodeMethods = {
  dump_active: plain(''),
  dump_conf: plain(''),
  dump_reserved: plain(''),
  dump_revoked: plain(''),
  dump_schedule: plain(''),
  dump_tasks: plain(''),
  hello: { usage: '<from_node>', about: '', read: ([from]) => ({ from_node: from, revoked: null }) },
}

/** One of an app's own takes `name=value`, the values JSON where they can be. */
export const CUSTOM_METHOD: NodeMethod = {
  usage: '[name=value] [...]',
  about: 'a command of the app’s own',
  read: (words) =>
    Object.fromEntries(
      words.map((word) => {
        const [name = '', value] = word.split(/=(.*)/s)
        if (name === '' || value === undefined)
          throw new UsageError(`expected name=value, got ${JSON.stringify(word)}`)
        try {
          return [name, JSON.parse(value) as unknown]
        } catch {
          return [name, value]
        }
      }),
    ),
}

/** @throws UsageError where there are too few or too many. */
export function readWords(
  name: string,
  { usage, read }: NodeMethod,
  words: readonly string[],
): MethodArguments {
  const least = usage.match(/<[^>]+>/g)?.length ?? 0
  const most = usage.includes('[...]') ? Infinity : (usage.match(/[<[][^\]>]+[\]>]/g)?.length ?? 0)
  if (words.length < least || words.length > most) {
    throw new UsageError(
      `${name}: expected ${usage === '' ? 'no arguments' : usage}, got ${words.join(' ') || 'none'}`,
    )
  }
  return read(words)
}

function plain(about: string): NodeMethod {
  return { usage: '', about, read: () => ({}) }
}

function optional(name: string, word: string | undefined, read: (word: string) => unknown): MethodArguments {
  return word === undefined ? {} : { [name]: read(word) }
}

function readWhole(word: string): number {
  if (/^\d{1,9}$/.test(word)) return Number(word)
  throw new UsageError(`expected a whole number, got ${JSON.stringify(word)}`)
}

function readSeconds(word: string): number {
  const seconds = word === '' ? NaN : Number(word)
  if (Number.isFinite(seconds) && seconds >= 0) return seconds
  throw new UsageError(`expected a number of seconds, got ${JSON.stringify(word)}`)
}
