import { setNewest } from '../events/bounded-map.js'
import type { CeleryEvent } from '../events/event.js'

const WORKER_EVENTS: Readonly<Record<string, string>> = {
  'worker-online': 'started',
  'worker-heartbeat': 'heartbeat',
  'worker-offline': 'shutdown',
}

/** Of tasks whose name and arguments are remembered for their later events. */
const MOST_TASKS = 1000

/** Makes a line of each event, as Celery's `events --dump`. */
export function createEventFormatter(): (event: CeleryEvent) => string {
  const tasks = new Map<string, string>()
  return (event) => {
    const { type, hostname, timestamp, uuid, ...rest } = event
    const fields: Record<string, unknown> = rest
    let task = ''
    if (uuid !== undefined) {
      const { name, args, kwargs } = fields
      if (typeof name === 'string') {
        setNewest(tasks, uuid, `${name}(${uuid}) args=${textOf(args)} kwargs=${textOf(kwargs)}`, MOST_TASKS)
        for (const known of ['name', 'args', 'kwargs']) delete fields[known]
      }
      task = ` ${tasks.get(uuid) ?? uuid}`
    }
    const shown = Object.keys(fields)
      .toSorted()
      .map((name) => `${name}=${textOf(fields[name])}`)
    const what = Object.hasOwn(WORKER_EVENTS, type) ? WORKER_EVENTS[type] : type.replaceAll('-', ' ')
    const at = new Date(timestamp * 1000)
    const time = Number.isNaN(at.getTime()) ? String(timestamp) : at.toISOString()
    return oneLine(`${hostname} [${time}] ${what}:${task} ${shown.join(', ')}`)
  }
}

/** What a peer has sent must not steer the terminal. */
export function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => JSON.stringify(character).slice(1, -1) || '?')
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')
}
