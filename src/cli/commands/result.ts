import { Option, type Command } from 'commander'
import { formatJson } from '../../serialization/json.js'
import { CommandFailedError } from '../errors.js'
import { TaskError } from '../../serialization/exceptions.js'
import { openApp, type AppFlags } from '../open-app.js'

/** Celery's `result`: waits for a task and prints what it returned, texts as they are and all else as JSON. */
export function defineResult(command: Command): Command {
  return command
    .description('wait for a task and print its result')
    .argument('<id>', 'of the task')
    .option('--json', 'print id, state and result as JSON')
    .addOption(new Option('-t, --task <name>', 'of the task; accepted for Celery’s sake').hideHelp())
    .option('--traceback', 'print the traceback of a task that has failed instead; does not wait')
    .action(async (id: string) => {
      const { traceback: wantsTraceback, json } = command.opts<{ traceback?: boolean; json?: boolean }>()
      const { app } = await openApp({ ...command.optsWithGlobals<AppFlags>(), loglevel: 'silent' }, 'result')
      const result = app.asyncResult(id)
      if (wantsTraceback) print(await tracebackOf(result))
      else await printValue(result, json)
      await app.close()
    })
}

type Result = ReturnType<Awaited<ReturnType<typeof openApp>>['app']['asyncResult']>

/** @throws what the task failed with. */
async function printValue(result: Result, json = false): Promise<void> {
  // Without a connection it fails by this; a task is waited for however long.
  await result.meta()
  const { id } = result
  try {
    const value = await result.get({ timeout: Infinity })
    if (json) print(formatJson({ id, status: 'SUCCESS', result: value }))
    else print(typeof value === 'string' ? value : formatJson(value))
  } catch (error) {
    if (json && error instanceof TaskError) {
      const { status, result: failure, traceback } = (await result.meta()) ?? {}
      print(formatJson({ id, status, result: failure, traceback }))
    }
    throw error
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

async function tracebackOf(result: Result): Promise<string> {
  const meta = await result.meta()
  if (meta?.traceback) return meta.traceback.trimEnd()
  throw new CommandFailedError(
    `task ${result.id} has no traceback; its state is ${meta?.status ?? 'PENDING'}`,
  )
}
