import { InvalidArgumentError, describeValue } from '../errors.js'
import { createEventDispatcher, type EventDispatcher } from './dispatcher.js'
import { anonymousNodeName, type EventFields } from './event.js'
import { createReceiver, type EventHandlers, type EventReceiver, type ReceiverOptions } from './receiver.js'
import { createState, type State, type StateOptions } from './state.js'
import { sentFields } from './task-fields.js'
import type { OutgoingTask } from '../serialization/outgoing-task.js'
import type { Fanout } from '../broker/fanout.js'
import type { Log } from '../log.js'
import type { LogicalClock } from '../logical-clock.js'

/** Celery's `app.events`. */
export interface AppEvents {
  /** Receives what workers and producers send, once it is started. */
  receiver(handlers: EventHandlers, options?: ReceiverOptions): EventReceiver
  /** Keeps what events tell of workers and tasks: `app.events.receiver({ '*': state.event })`. */
  state(options?: StateOptions): State
  /**
   * Send an event of the application's own, in the name of this process.
   *
   * @throws InvalidArgumentError for the type, EncodeError for the fields.
   */
  send(type: string, fields?: EventFields): Promise<void>
}

export interface AppEventsParts {
  /** Asked for when it is first needed. */
  readonly fanout: () => Fanout
  readonly exchange: () => string
  readonly logicalClock: LogicalClock
  readonly log: () => Log
}

/** What the app itself needs of its events. */
export interface OwnEvents extends AppEvents {
  /** Send `task-sent`, in the background. */
  readonly taskSent: (task: OutgoingTask) => void
  close(): Promise<void>
}

export function createAppEvents(parts: AppEventsParts): OwnEvents {
  const { logicalClock } = parts
  let producer: EventDispatcher | undefined
  const common = (): { fanout: Fanout; exchange: string; logicalClock: LogicalClock; log: Log } => ({
    fanout: parts.fanout(),
    exchange: parts.exchange(),
    logicalClock,
    log: parts.log(),
  })
  const dispatcher = (): EventDispatcher =>
    (producer ??= createEventDispatcher({ ...common(), hostname: anonymousNodeName() }))
  return {
    receiver: (handlers, options) => createReceiver(common(), handlers, options),
    state: (options) => createState(options),
    async send(type, fields = {}) {
      await dispatcher().send(checkedType(type), fields)
    },
    taskSent: (task) => void dispatcher().send('task-sent', sentFields(task)),
    async close() {
      await producer?.close()
    },
  }
}

/** @throws InvalidArgumentError */
export function checkedType(type: string): string {
  if (typeof type === 'string' && /^[^-]+-./.test(type)) return type
  throw new InvalidArgumentError(
    `event type: expected a group and a name, such as "task-progress", got ${describeValue(type)}`,
  )
}
