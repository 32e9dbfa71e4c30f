import { startProcess, type RunningProcess } from '../tests/support/start-process.js'
import type { Launch } from './peers/peer.js'

/** @param signal - Kills it. */
export function start({ command, args, cwd, env }: Launch, signal?: AbortSignal): RunningProcess {
  signal?.throwIfAborted()
  const running = startProcess(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
  })
  signal?.addEventListener('abort', () => void running.kill(), { once: true })
  return running
}

/**
 * What a process prints when it is done: a line of JSON with this member.
 *
 * @param beside - The process that it works with.
 * @throws Error when either ends before.
 */
export async function printed<Figure>(
  member: string,
  running: RunningProcess,
  beside?: RunningProcess,
): Promise<Figure> {
  const line = running
    .waitForLine(new RegExp(`^\\{"${member}":.*\\}$`), Infinity)
    .catch(() => ended('a process', running))
  const [json] = await (beside === undefined
    ? line
    : Promise.race([line, beside.exit.then(() => ended('the process beside', beside))]))
  return (JSON.parse(json) as Record<string, Figure>)[member] as Figure
}

async function ended(what: string, process: RunningProcess): Promise<never> {
  const { code, signal } = await process.exit
  await process.drained
  throw new Error(`${what} ended with ${code ?? signal}; it printed:\n${process.output()}`)
}
