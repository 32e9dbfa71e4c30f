import { InvalidArgumentError, type Command } from 'commander'
import { confirm } from '../confirm.js'
import { CommandFailedError, UsageError } from '../errors.js'
import { formatTable, printable } from '../format-table.js'
import { openApp, type AppFlags } from '../open-app.js'
import { plural } from '../plural.js'
import type { DeadLetter, DeadLetterFilter, DeadLetters } from '../../broker/broker.js'

interface FilterFlags {
  readonly queue?: string
  readonly code?: string
  readonly task?: string
  readonly olderThan?: Date
}

interface SelectionFlags extends FilterFlags {
  readonly all?: boolean
  readonly force?: boolean
  readonly json?: boolean
}

interface ListFlags extends FilterFlags {
  readonly limit: number
  readonly offset: number
  readonly json?: boolean
}

/** Not of Celery: looks at the messages that were set aside, sends them again, or drops them. */
export function defineDeadLetters(command: Command): Command {
  command.description('list, show, retry and purge messages that were set aside')

  const list = addFilterFlags(command.command('list').description('list them, newest first'))
    .option('--limit <n>', 'so many at most', readWhole, 20)
    .option('--offset <n>', 'leave so many out', readWhole, 0)
    .option('--json', 'print them as JSON')
  list.action(async () => {
    const { limit, offset, json, ...flags } = list.opts<ListFlags>()
    await withDeadLetters(list, async (deadLetters) => {
      const letters = await deadLetters.list({ ...filterOf(flags), limit, offset })
      if (json) printJson(letters)
      else print(formatList(letters))
    })
  })

  const show = command
    .command('show')
    .description('print one with its history and its message')
    .argument('<id>', 'of the dead letter')
    .option('--json', 'print it as JSON')
  show.action(async (id: string) => {
    await withDeadLetters(show, async (deadLetters) => {
      const letter = await deadLetters.get(id)
      if (letter === undefined) throw new CommandFailedError(`there is no dead letter ${id}`)
      if (show.opts<{ json?: boolean }>().json) printJson(letter)
      else print(formatLetter(letter))
    })
  })

  const retry = addSelectionFlags(command.command('retry'))
    .description('send them to their queues again')
    .option('--json', 'print how many as JSON')
  retry.action(async (ids: readonly string[]) => {
    const flags = retry.opts<SelectionFlags>()
    const selection = selectionOf(ids, flags)
    await withDeadLetters(retry, async (deadLetters) => {
      const count = await deadLetters.retry(selection)
      report('retried', count, flags)
      missing(ids, count)
    })
  })

  const purge = addSelectionFlags(command.command('purge'))
    .description('drop them for good')
    .option('-f, --force', 'do not ask')
    .option('--json', 'print how many as JSON; with -f')
  purge.action(async (ids: readonly string[]) => {
    const flags = purge.opts<SelectionFlags>()
    const selection = selectionOf(ids, flags)
    if (flags.json && !flags.force) throw new UsageError('--json leaves no room to ask: add -f')
    await withDeadLetters(purge, async (deadLetters) => {
      if (!flags.force) {
        const what = flags.all ? 'all dead letters' : 'these dead letters'
        await confirm({
          warning: `This will remove ${what} for good.`,
          question: `Are you sure you want to delete ${what}?`,
          refusal: 'nothing was purged',
        })
      }
      const count = await deadLetters.purge(selection)
      report('purged', count, flags)
      missing(ids, count)
    })
  })
  return command
}

async function withDeadLetters(
  command: Command,
  action: (deadLetters: DeadLetters) => Promise<void>,
): Promise<void> {
  const { app } = await openApp(
    { ...command.optsWithGlobals<AppFlags>(), loglevel: 'silent' },
    'dead-letters',
  )
  await action(app.deadLetters)
  await app.close()
}

function addFilterFlags(command: Command): Command {
  return command
    .option('--queue <name>', 'only those of this queue')
    .option('--code <code>', 'only those set aside for this reason, such as TOO_MANY_DELIVERIES')
    .option('--task <name>', 'only those of this task')
    .option('--older-than <age>', 'only those set aside longer ago: 90s, 15m, 12h, 30d', readAge)
}

function addSelectionFlags(command: Command): Command {
  return addFilterFlags(command.argument('[ids...]', 'of the dead letters')).option('--all', 'all there are')
}

function filterOf({ queue, code, task, olderThan }: FilterFlags): DeadLetterFilter {
  return { queue, code, task, diedBefore: olderThan }
}

/** @throws UsageError unless exactly one way of choosing is used. */
function selectionOf(ids: readonly string[], { all, ...flags }: SelectionFlags): DeadLetterFilter | 'all' {
  const filter = filterOf(flags)
  const isFiltered = Object.values(filter).some((value) => value !== undefined)
  const ways = [all === true, ids.length > 0, isFiltered].filter(Boolean).length
  if (ways !== 1)
    throw new UsageError('expected either ids, or --queue, --code, --task, --older-than, or --all')
  if (all) return 'all'
  return isFiltered ? filter : { ids: [...new Set(ids)] }
}

/** @throws CommandFailedError where there were fewer than named. */
function missing(ids: readonly string[], count: number): void {
  const missed = new Set(ids).size - count
  if (missed > 0)
    throw new CommandFailedError(
      `${missed} of the named dead letters ${missed === 1 ? 'is' : 'are'} not there`,
    )
}

function report(verb: 'retried' | 'purged', count: number, { json }: SelectionFlags): void {
  if (json) printJson({ [verb]: count })
  else print(`${verb === 'retried' ? 'Retried' : 'Purged'} ${count} dead ${plural(count, 'letter')}.`)
}

function formatList(letters: readonly DeadLetter[]): string {
  if (letters.length === 0) return 'There are no such dead letters.'
  const rows = letters.map(({ id, diedAt, code, queue, task, deliveries }) => [
    id,
    diedAt.toISOString(),
    code,
    printable(queue),
    printable(task ?? '-'),
    String(deliveries),
  ])
  const table = [['ID', 'DIED AT', 'CODE', 'QUEUE', 'TASK', 'DELIVERIES'], ...rows]
  return formatTable(table)
}

function formatLetter(letter: DeadLetter): string {
  const lines = [
    ['id', letter.id],
    ['task', letter.task ?? '-'],
    ['task id', letter.taskId ?? '-'],
    ['queue', letter.queue],
    ['reason', `${letter.code}: ${letter.message}`],
    [
      'died at',
      `${letter.diedAt.toISOString()}${letter.worker === undefined ? '' : `, set aside by ${letter.worker}`}`,
    ],
    ['deliveries', String(letter.deliveries)],
    ...letter.history.map(({ at, cause, worker, hasBegun }) => [
      'lost',
      `${at.toISOString()} ${cause}${worker === undefined ? '' : ` ${worker}`}${hasBegun ? ', while it ran' : ''}`,
    ]),
    ['message', letter.envelope],
  ]
  return lines.map(([name = '', value = '']) => `${name.padEnd(11)} ${printable(value)}`).join('\n')
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2))
}

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function readAge(text: string): Date {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? []
  const age = Number(number) * UNIT_MS[unit as keyof typeof UNIT_MS]
  const before = new Date(Date.now() - age)
  if (Number.isNaN(before.getTime()))
    throw new InvalidArgumentError('Expected an age such as 90s, 15m, 12h or 30d.')
  return before
}

function readWhole(text: string): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN
  if (Number.isNaN(number)) throw new InvalidArgumentError('Expected a whole number from 0.')
  return number
}
