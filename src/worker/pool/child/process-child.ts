import { constants } from 'node:os'
import { fork } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { moduleForThread } from '../../../thread-module.js'
import type { ChildEnd, ChildProgram, StartChild } from './child.js'
import type { FromChild } from './messages.js'

/** How {@link StartChild} makes a process of Node.js. */
export function processStarter({ orders, env, memoryLimitKib }: ChildProgram): StartChild {
  const limits = memoryLimitKib === undefined || canReadMemory ? [] : [heapLimit(memoryLimitKib)]
  return (onMessage) => {
    const { url, loader } = moduleForThread(import.meta.url, './main')
    // The port of a debugger is taken already.
    const inherited = process.execArgv.filter((argument) => !argument.startsWith('--inspect'))
    const child = fork(fileURLToPath(url), [JSON.stringify(orders)], {
      env,
      execArgv: [...inherited, ...limits, ...(loader === undefined ? [] : ['--import', loader])],
      serialization: 'advanced',
      // The last one is held open by this process alone: by it the child notices when this process is gone.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
    })
    child.on('message', (message) => onMessage(message as FromChild))
    // Nobody is there to be told.
    child.stdio[4]?.on('error', () => undefined)
    const ended = new Promise<ChildEnd>((resolve) => {
      const end = (how: string): void => resolve({ how, cause: 'WORKER_LOST' })
      child.once('error', (error) => {
        // It may also be about a message to it.
        if (child.pid === undefined) end(error.message)
      })
      child.once('exit', (code, signal) => end(signal === null ? `exitcode ${code}` : describe(signal)))
    })
    return {
      id: child.pid ?? 0,
      ended,
      send(message) {
        // Whether it has arrived is told by what comes back, or by its end.
        if (child.connected) child.send(message, () => undefined)
      },
      signal: (signal) => void child.kill(signal),
      kill: () => void child.kill('SIGKILL'),
      memoryKib: () => residentKib(child.pid),
    }
  }
}

/** Whether the system tells what memory another process has. */
export const canReadMemory = process.platform === 'linux'

async function residentKib(pid: number | undefined): Promise<number | undefined> {
  if (!canReadMemory || pid === undefined) return undefined
  // It may have ended.
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return kib === undefined ? undefined : Number(kib)
}

function heapLimit(kib: number): string {
  return `--max-old-space-size=${Math.ceil(kib / 1024)}`
}

function describe(signal: NodeJS.Signals): string {
  return `signal ${constants.signals[signal]} (${signal})`
}
