import { afterAll } from 'vitest'
import { childProcesses } from '../support/child-processes.js'
import { eventually } from '../support/eventually.js'

// Registered before any hook of the file, so it runs after all of them.
afterAll(async () => {
  try {
    await eventually(() => childProcesses().length === 0, { timeoutMs: 20_000 })
  } catch {
    const left = childProcesses()
    for (const { pid } of left) process.kill(pid, 'SIGKILL')
    if (left.length === 0) return
    throw new Error(`left running by this file: ${left.map(({ command }) => command).join(', ')}`)
  }
})
