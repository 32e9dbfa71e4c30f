import type { Command } from 'commander'
import { stopRequested } from '../../stop-requested.js'
import { createEventFormatter } from '../format-event.js'
import { formatView } from '../events-view.js'
import { addLogLevelFlag } from '../log-level.js'
import { DAEMON_REFUSALS, EVENTS_REFUSALS, refuseFlags } from '../refusals.js'
import { openApp, type AppFlags } from '../open-app.js'
import { redactUrls } from '../../log.js'
import type { Celery } from '../../app/celery.js'
import type { OutageWatcher } from '../../broker/fanout.js'
import type { CeleryEvent } from '../../events/event.js'
import type { EventReceiver } from '../../events/receiver.js'

interface EventsFlags {
  readonly dump?: boolean
  readonly json?: boolean
}

const REFRESH_MS = 1000
const HOME_AND_CLEAR = '\x1b[H\x1b[J'

/** Celery's `events`: shows what workers and producers tell of themselves and their tasks, until it is told to stop. */
export function defineEvents(command: Command): Command {
  return refuseFlags(addLogLevelFlag(command), EVENTS_REFUSALS, DAEMON_REFUSALS)
    .description('show events: a live view on a terminal, else a line for each')
    .option('-d, --dump', 'a line for each event')
    .option('--json', 'each event as a line of JSON')
    .action(async () => {
      const { dump, json } = command.opts<EventsFlags>()
      const flags = { loglevel: 'error', ...command.optsWithGlobals<AppFlags>() }
      const { app, log } = await openApp(flags, 'events')
      const shown = json
        ? dumpTo(app, (event) => JSON.stringify(event))
        : dump || !process.stdout.isTTY
          ? dumpLines(app)
          : view(app)
      await startReceiving(app, shown.receiver)
      const watching = app.broker.fanout.watch(shown.outages)
      await stopRequested(log)
      watching.stop()
      shown.end()
      await shown.receiver.stop()
      await app.close()
    })
}

/** It waits for a connection however long, of which one wants to be told. */
async function startReceiving(app: Celery, receiver: EventReceiver): Promise<void> {
  const timer = setTimeout(() => {
    const url = redactUrls(app.settings.broker)
    process.stderr.write(`warning: no connection to ${url} so far; trying again until there is one\n`)
  }, TELL_AFTER_MS)
  try {
    await receiver.start()
  } finally {
    clearTimeout(timer)
  }
}

const TELL_AFTER_MS = 3000

interface Shown {
  readonly receiver: EventReceiver
  readonly outages: OutageWatcher
  readonly end: () => void
}

function dumpLines(app: Celery): Shown {
  process.stderr.write('-> starting capture...\n')
  return dumpTo(app, createEventFormatter())
}

function dumpTo(app: Celery, format: (event: CeleryEvent) => string): Shown {
  const receiver = app.events.receiver({
    '*': (event) => process.stdout.write(`${format(event)}\n`),
  })
  const url = redactUrls(app.settings.broker)
  const say = (text: string): void => void process.stderr.write(`warning: ${text}\n`)
  const outages = {
    onLost: () => say(`lost the connection to ${url}; trying again until there is one`),
    onBack: () => say(`connected to ${url} again; events may have been missed meanwhile`),
  }
  return { receiver, outages, end: () => undefined }
}

function view(app: Celery): Shown {
  const state = app.events.state()
  let isConnected = true
  const draw = (): void => {
    const { columns = 80, rows = 24 } = process.stdout
    const page = formatView(state, { columns, rows: rows - 1, now: Date.now() / 1000, isConnected })
    process.stdout.write(`${HOME_AND_CLEAR}${page}\n`)
  }
  const timer = setInterval(draw, REFRESH_MS)
  draw()
  const outages = {
    onLost: () => void (isConnected = false),
    onBack: () => void (isConnected = true),
  }
  return { receiver: app.events.receiver({ '*': state.event }), outages, end: () => clearInterval(timer) }
}
