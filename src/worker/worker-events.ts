import { checkedType } from '../events/app-events.js'
import { createEventDispatcher, type EventDispatcherParts } from '../events/dispatcher.js'
import { createHeart } from '../events/heartbeat.js'
import { createTaskEvents } from './task-events.js'
import type { EventFields } from '../events/event.js'
import type { Monitors } from './monitors.js'
import type { TaskLookup } from '../app/registered-task.js'
import type { WorkerCounts } from '../app/worker-options.js'

/**
 * All events of one worker. Its own are on from the start. Those of tasks are, too, where that was asked for (`-E`), and
 * then they stay on; else monitors turn them on and off while it runs (wire protocol, section 14.5).
 */
export interface WorkerEvents {
  /** Say that it is there, and go on to say so. */
  start(): Promise<void>
  /** Send what is left, and say goodbye. */
  stop(): Promise<void>
  /** Remote control's `enable_events`. @returns false where task events are on already. */
  enableEvents(this: void): boolean
  /** Remote control's `disable_events`. @returns false where they are off already, or always on. */
  disableEvents(this: void): boolean
  /** Remote control's `heartbeat`: one more, whether or not there are others. */
  heartbeat(this: void): Promise<void>
  /** Send an event of a task's own, whether or not task events are on. @throws InvalidArgumentError, EncodeError */
  send(this: void, type: string, fields: EventFields): Promise<void>
}

export interface WorkerEventsParts extends EventDispatcherParts {
  readonly monitors: Monitors
  readonly tasks: TaskLookup
  /** Whether task events are always on. */
  readonly taskEvents: 'always' | 'on demand'
  /** Seconds between two heartbeats; 0 for none. */
  readonly heartbeatInterval: number
  readonly counts: () => WorkerCounts
}

/** Says goodbye for so long at most: it stops all the same where the server does not answer. */
const GOODBYE_WITHIN_MS = 1000

export function createWorkerEvents(parts: WorkerEventsParts): WorkerEvents {
  const { monitors, heartbeatInterval } = parts
  const dispatcher = createEventDispatcher(parts)
  const taskEvents = createTaskEvents(dispatcher, parts.tasks)
  const heart = createHeart({
    dispatcher,
    intervalSeconds: heartbeatInterval,
    counts: () => {
      const { active, started } = parts.counts()
      return { active, processed: started }
    },
  })
  let isOn = parts.taskEvents === 'always'
  if (isOn) monitors.add(taskEvents)

  return {
    async start() {
      if (heartbeatInterval > 0) await heart.start()
    },
    async stop() {
      const goodbye = async (): Promise<void> => {
        if (heartbeatInterval > 0) await heart.stop()
        await dispatcher.close()
      }
      let timer: NodeJS.Timeout | undefined
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, GOODBYE_WITHIN_MS)
      })
      await Promise.race([goodbye(), patience])
      clearTimeout(timer)
    },
    enableEvents() {
      if (isOn) return false
      isOn = true
      monitors.add(taskEvents)
      return true
    },
    disableEvents() {
      if (!isOn || parts.taskEvents === 'always') return false
      isOn = false
      monitors.remove(taskEvents)
      return true
    },
    heartbeat: () => heart.beat(),
    send: async (type, fields) => dispatcher.send(checkedType(type), fields),
  }
}
