import { loadavg, type } from 'node:os'
import { version } from '../version.js'
import type { EventDispatcher } from './dispatcher.js'
import type { EventFields } from './event.js'

/** Says that a worker is alive: `worker-online` at its start, then heartbeats, then `worker-offline`. */
export interface Heart {
  start(): Promise<void>
  /** One more heartbeat, as remote control may ask for. */
  beat(): Promise<void>
  stop(): Promise<void>
}

export interface HeartParts {
  readonly dispatcher: EventDispatcher
  /** Seconds between two heartbeats; a monitor takes the worker for dead after two of them. */
  readonly intervalSeconds: number
  /** How many tasks run now, and how many have begun since the start. */
  readonly counts: () => { readonly active: number; readonly processed: number }
}

/** What the workers of this runtime are known as. */
export const SOFTWARE: EventFields = { sw_ident: 'lovage', sw_ver: version, sw_sys: type() }

/** How often a worker asks to be taken for alive that sends a heartbeat only when it is told to. */
const ASKED_FOR_SECONDS = 5

/** @see Celery 5.6, `worker/heartbeat.py`: `Heart`; `worker/control.py`: `heartbeat` */
export function createHeart({ dispatcher, intervalSeconds, counts }: HeartParts): Heart {
  let timer: NodeJS.Timeout | undefined
  const say = (event: string): Promise<void> => {
    const { active, processed } = counts()
    const load = loadavg().map((average) => Math.round(average * 100) / 100)
    return dispatcher.send(event, { freq: intervalSeconds, active, processed, loadavg: load, ...SOFTWARE })
  }
  return {
    start() {
      timer = setInterval(() => void say('worker-heartbeat'), intervalSeconds * 1000)
      return say('worker-online')
    },
    beat: () => dispatcher.send('worker-heartbeat', { freq: ASKED_FOR_SECONDS, ...SOFTWARE }),
    stop() {
      clearInterval(timer)
      return say('worker-offline')
    },
  }
}
