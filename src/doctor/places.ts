import { randomUUID } from 'node:crypto'
import { brokerKeys, type BrokerKeyOptions, type BrokerKeys } from '../broker/keys.js'
import { controlExchanges } from '../control/exchanges.js'
import { coordinationKeys } from '../coordination/keys.js'
import { databaseOf } from '../redis/connect.js'
import { replyQueueName } from '../broker/redis-replies.js'
import { resultKeys, type ResultKeys } from '../results/keys.js'
import type { Settings } from '../app/settings.js'

/** Names of keys and channels, or patterns of them. */
export interface Places {
  readonly lists: readonly string[]
  readonly bindings: readonly string[]
  readonly parked: readonly string[]
  readonly held: string
  readonly handed: string
  /** Bindings of those who listen to events, and the events' channels. */
  readonly eventBinding: string
  readonly eventChannels: string
  readonly keys: BrokerKeys
  /** Bindings of those who listen to remote control, and its channel. */
  readonly controlBinding: string
  readonly controlChannel: string
  /** Bindings of those who wait for replies, and the list of one. */
  readonly replyBinding: string
  readonly replyList: string
  /** Of the keys by which workers and producers agree on limits and unique calls. */
  readonly slots: string
  readonly rate: string
  readonly unique: string
  readonly beatLock: string
  readonly beatEntries: string
  /** Key of a result, and the channel on which it is announced. */
  readonly result: string
  /** The same of a saved group; the keys of chords begin with it. */
  readonly group: string
  /** What those keys of a chord begin with that have to share a slot of a cluster with others. */
  readonly besideGroup: string
}

type PlaceSettings = Pick<
  Settings,
  'broker' | 'brokerTransportOptions' | 'resultBackendTransportOptions' | 'controlExchange' | 'eventExchange'
>

/** Names as processes with these settings use them. */
export function placesOf(settings: PlaceSettings, queues: readonly string[]): Places {
  const { resultBackendTransportOptions: results } = settings
  const options = { ...settings.brokerTransportOptions, db: databaseOf({ url: settings.broker }) }
  return places(options, resultKeys(results.globalKeyprefix), queues, settings, randomUUID())
}

/** The same as patterns of an ACL, which cover every consumer and result. */
export function patternsOf(settings: PlaceSettings, queues: readonly string[]): Places {
  const { brokerTransportOptions: options, resultBackendTransportOptions: results } = settings
  const escaped = {
    ...options,
    db: databaseOf({ url: settings.broker }),
    globalKeyprefix: escapePattern(options.globalKeyprefix),
    sep: escapePattern(options.sep),
    unackedKey: escapePattern(options.unackedKey),
    unackedIndexKey: escapePattern(options.unackedIndexKey),
    unackedMutexKey: escapePattern(options.unackedMutexKey),
  }
  const keys = resultKeys(results.globalKeyprefix)
  const resultPatterns = {
    task: (id: string) => escapePattern(keys.task('')) + id,
    group: (id: string) => escapePattern(keys.group('')) + id,
  }
  const exchanges = {
    controlExchange: escapePattern(settings.controlExchange),
    eventExchange: escapePattern(settings.eventExchange),
  }
  return places(escaped, resultPatterns, queues.map(escapePattern), exchanges, '*')
}

function places(
  options: BrokerKeyOptions,
  resultNames: Pick<ResultKeys, 'task' | 'group'>,
  queues: readonly string[],
  { controlExchange, eventExchange }: Pick<Settings, 'controlExchange' | 'eventExchange'>,
  any: string,
): Places {
  const keys = brokerKeys(options)
  const coordination = coordinationKeys(options.globalKeyprefix)
  const { requests, replies } = controlExchanges(controlExchange)
  return {
    keys,
    lists: queues.flatMap((queue) => keys.lists(queue)),
    bindings: queues.map((queue) => keys.binding(queue)),
    parked: queues.map((queue) => keys.parked(queue)),
    held: keys.held(any),
    handed: keys.handed(any),
    eventBinding: keys.binding(eventExchange),
    eventChannels: keys.channel(eventExchange, '*'),
    controlBinding: keys.binding(requests),
    controlChannel: keys.channel(requests, ''),
    replyBinding: keys.binding(replies),
    replyList: keys.list(replyQueueName({ exchange: replies, routingKey: any }), 0),
    slots: coordination.slots(any),
    rate: coordination.rate(any),
    unique: coordination.unique(any),
    beatLock: `${options.globalKeyprefix}lovage.beat.lock`,
    beatEntries: `${options.globalKeyprefix}lovage.beat.entries`,
    result: resultNames.task(any),
    group: resultNames.group(any),
    besideGroup: `{${resultNames.group(any)}`,
  }
}

/** Bytes that mean something in a pattern, or cannot be typed, each as a pattern of one byte. */
function escapePattern(text: string): string {
  let pattern = ''
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte)
    if (/[*?[\]\\^]/.test(character)) pattern += `\\${character}`
    else pattern += byte > 0x20 && byte < 0x7f ? character : '?'
  }
  return pattern
}
