import { constants } from 'node:os'
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { moduleForThread } from '../../../thread-module.js'
import type { ChildProgram, StartChild } from './child.js'
import type { FromChild } from './messages.js'

/** How {@link StartChild} makes a process of Node.js. */
export function processStarter({ orders, env }: ChildProgram): StartChild {
  return (onMessage) => {
    const { url, loader } = moduleForThread(import.meta.url, './main')
    // The port of a debugger is taken already.
    const inherited = process.execArgv.filter((argument) => !argument.startsWith('--inspect'))
    const child = fork(fileURLToPath(url), [JSON.stringify(orders)], {
      env,
      execArgv: loader === undefined ? inherited : [...inherited, '--import', loader],
      serialization: 'advanced',
      // The last one is held open by this process alone: by it the child notices when this process is gone.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
    })
    child.on('message', (message) => onMessage(message as FromChild))
    // Nobody is there to be told.
    child.stdio[4]?.on('error', () => undefined)
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => {
        // It may also be about a message to it.
        if (child.pid === undefined) resolve(error.message)
      })
      child.once('exit', (code, signal) => resolve(signal === null ? `exitcode ${code}` : describe(signal)))
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
    }
  }
}

function describe(signal: NodeJS.Signals): string {
  return `signal ${constants.signals[signal]} (${signal})`
}
