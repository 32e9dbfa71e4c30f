import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { didYouMean } from '../../did-you-mean.js'
import { NoNodeReplied, UsageError } from '../errors.js'
import { formatNode, formatOnline, formatReplies } from '../format-replies.js'
import { formatColumns } from '../format-table.js'
import { openApp, type AppFlags } from '../open-app.js'
import { readNames } from '../worker-flags.js'
import {
  CONTROL_METHODS,
  CUSTOM_METHOD,
  INSPECT_METHODS,
  OLD_METHODS,
  readWords,
  type MethodArguments,
  type NodeMethod,
  type NodeMethods,
} from '../node-methods.js'
import type { Celery } from '../../app/celery.js'
import type { NodeReplies } from '../../control/replies.js'

interface NodeFlags {
  readonly timeout: number
  readonly destination?: readonly string[]
  readonly json?: boolean
  readonly list?: boolean
}

/** Celery's `inspect`: asks workers, those of Python as well. */
export function defineInspect(command: Command): Command {
  return defineNodeCommand(command.description('ask workers what they know'), {
    methods: INSPECT_METHODS,
    hidden: OLD_METHODS,
    sibling: { name: 'control', methods: CONTROL_METHODS },
    example: 'inspect active',
  })
}

/** Celery's `control`: tells workers what to do. */
export function defineControl(command: Command): Command {
  return defineNodeCommand(command.description('tell workers what to do'), {
    methods: CONTROL_METHODS,
    hidden: {},
    sibling: { name: 'inspect', methods: INSPECT_METHODS },
    example: 'control revoke ID',
  })
}

const SILENT = { ok: 'alive, but did not reply' }

/** Celery's `status`: which workers are there. */
export function defineStatus(command: Command): Command {
  return addNodeFlags(command.description('list the workers that are there')).action(async () => {
    const flags = command.opts<NodeFlags>()
    await withReplies(
      command,
      (app) => findNodes(app, flags),
      (replies) => {
        if (flags.json) return JSON.stringify(replies)
        const nodes = Object.entries(replies)
        const lines = nodes.map(
          ([node, reply]) => `${formatNode(node, 'OK')}${reply === SILENT ? ', but did not reply' : ''}`,
        )
        const { quiet } = command.optsWithGlobals<AppFlags>()
        return (quiet ? lines : [...lines, '', formatOnline(nodes.length)]).join('\n')
      },
    )
  })
}

/** Lovage's workers by their leases, whether they reply or not; Python's, which have none, by their replies. */
async function findNodes(app: Celery, flags: NodeFlags): Promise<NodeReplies<unknown>> {
  const [leased, replied] = await Promise.allSettled([
    app.control.workers(),
    app.control.inspect(optionsOf(flags)).ping(),
  ])
  if (replied.status === 'rejected') {
    if (leased.status === 'rejected' || leased.value.length === 0) throw replied.reason
    process.stderr.write('warning: nobody could be asked, so that workers of Python are left out\n')
  }
  const { destination } = flags
  const alive = leased.status === 'fulfilled' ? leased.value : []
  const wanted = alive.filter((node) => destination === undefined || destination.includes(node))
  return {
    ...Object.fromEntries(wanted.map((node) => [node, SILENT])),
    ...(replied.status === 'fulfilled' && replied.value),
  }
}

interface NodeCommand {
  readonly methods: NodeMethods
  readonly hidden: NodeMethods
  /** Where the other methods are. */
  readonly sibling: { readonly name: string; readonly methods: NodeMethods }
  readonly example: string
}

function defineNodeCommand(command: Command, { methods, hidden, sibling, example }: NodeCommand): Command {
  return addNodeFlags(command)
    .argument('[command]', `what; --list names them all`)
    .argument('[arguments...]', 'of the command')
    .option('-l, --list', 'list the commands')
    .action(async (name: string | undefined, words: readonly string[]) => {
      const flags = command.opts<NodeFlags>()
      if (flags.list) {
        print(formatMethods(methods))
        return
      }
      if (name === undefined)
        throw new UsageError(`expected a command, such as lovage ${example}; --list names them all`)
      await withReplies(
        command,
        async (app) => {
          const own = { ...methods, ...hidden }
          if (!Object.hasOwn(own, name) && Object.hasOwn(sibling.methods, name))
            throw new UsageError(`${name} is a command of lovage ${sibling.name}`)
          const method = Object.hasOwn(own, name) ? own[name] : undefined
          return ask(app, name, readWords(name, method ?? customMethod(app, name, methods), words), flags)
        },
        (replies) => {
          if (flags.json) return JSON.stringify(replies)
          const text = formatReplies(replies).trimEnd()
          const counts = command.name() === 'inspect' && !command.optsWithGlobals<AppFlags>().quiet
          return counts ? `${text}\n\n${formatOnline(Object.keys(replies).length)}` : text
        },
      )
    })
}

/** A shutdown is answered by nobody. */
async function ask(
  app: Celery,
  name: string,
  args: MethodArguments,
  flags: NodeFlags,
): Promise<NodeReplies<unknown> | undefined> {
  const options = optionsOf(flags)
  if (name === 'revoke') return app.control.revoke(args['task_id'] as string[], { ...options, reply: true })
  if (name === 'terminate') {
    const { task_id: ids, signal } = args as { task_id: string[]; signal: string }
    return app.control.terminate(ids, { ...options, killSignal: signal, reply: true })
  }
  if (name !== 'shutdown') return app.control.broadcast(name, args, { ...options, reply: true })
  await app.control.shutdown(options)
  return undefined
}

function optionsOf({ timeout, destination }: NodeFlags): {
  readonly timeout: number
  readonly destination?: readonly string[]
} {
  return { timeout: timeout * 1000, ...(destination && { destination }) }
}

function customMethod(app: Celery, name: string, methods: NodeMethods): NodeMethod {
  if (app.controlCommands.has(name)) return CUSTOM_METHOD
  const meant = didYouMean(name, [...Object.keys(methods), ...app.controlCommands.keys()])
  const hint = meant === undefined ? '--list names them all' : `did you mean ${meant}?`
  throw new UsageError(`there is no command ${JSON.stringify(name)}; ${hint}`)
}

function addNodeFlags(command: Command): Command {
  return command
    .option('-t, --timeout <seconds>', 'to wait for replies', readTimeout, 1)
    .option('-d, --destination <names>', 'nodes, separated by commas; else all', readNames)
    .option('-j, --json', 'print JSON')
}

async function withReplies(
  command: Command,
  get: (app: Celery) => Promise<NodeReplies<unknown> | undefined>,
  format: (replies: NodeReplies<unknown>) => string,
): Promise<void> {
  const { app } = await openApp(
    { ...command.optsWithGlobals<AppFlags>(), loglevel: 'silent' },
    command.name(),
  )
  const replies = await get(app)
  await app.close()
  if (replies === undefined) return
  if (Object.keys(replies).length === 0) throw new NoNodeReplied('No nodes replied within time constraint')
  const missing = (command.opts<NodeFlags>().destination ?? []).filter(
    (node) => !Object.hasOwn(replies, node),
  )
  if (missing.length > 0) process.stderr.write(`warning: no reply from ${missing.join(', ')}\n`)
  // In the order of their names, not in that of their replies, so that two answers can be compared.
  print(
    format(Object.fromEntries(Object.entries(replies).toSorted(([one], [other]) => (one < other ? -1 : 1)))),
  )
}

function formatMethods(methods: NodeMethods): string {
  return formatColumns(
    Object.entries(methods).map(([name, { usage, about }]) => [`${name} ${usage}`.trimEnd(), about]),
  )
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function readTimeout(text: string): number {
  const seconds = Number(text)
  if (Number.isFinite(seconds) && seconds > 0) return seconds
  throw new InvalidArgumentError('Expected seconds, more than 0.')
}
