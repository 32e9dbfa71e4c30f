import { Option, type Command } from 'commander'
import { formatJson } from '../../serialization/json.js'
import { CommandFailedError } from '../errors.js'
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
      const text = wantsTraceback ? await tracebackOf(result) : await valueOf(result, json)
      process.stdout.write(`${text}\n`)
      await app.close()
    })
}

type Result = ReturnType<Awaited<ReturnType<typeof openApp>>['app']['asyncResult']>

async function valueOf(result: Result, json = false): Promise<string> {
  const value = await result.get({ timeout: Infinity })
  if (json) return formatJson({ id: result.id, status: 'SUCCESS', result: value })
  return typeof value === 'string' ? value : formatJson(value)
}

async function tracebackOf(result: Result): Promise<string> {
  const meta = await result.meta()
  if (meta?.traceback) return meta.traceback.trimEnd()
  throw new CommandFailedError(
    `task ${result.id} has no traceback; its state is ${meta?.status ?? 'PENDING'}`,
  )
}
