import { expect, it } from 'vitest'
import { childProcesses } from '../../support/child-processes.js'
import { startProcess } from '../../support/start-process.js'

const script = (code: string): [string, string[]] => [process.execPath, ['-e', code]]

it('finds a line that was printed already and one that is yet to come', async () => {
  const running = startProcess(...script(`console.log('first'); setTimeout(() => console.error('then'), 50)`))

  await running.waitForLine(/^then$/)

  expect((await running.waitForLine(/^fi(..)t$/))[1]).toBe('rs')
})

it('says what a process printed that ended without the line', async () => {
  const running = startProcess(...script(`console.error('out of luck'); process.exit(3)`))

  await expect(running.waitForLine(/ready/)).rejects.toThrow(
    /ended before it printed \/ready\/.*\nout of luck/,
  )
  expect(await running.exit).toEqual({ code: 3, signal: null })
})

it('keeps the settings of the developer from the process', async () => {
  process.env.CELERY_BROKER_URL = 'redis://elsewhere'
  const running = startProcess(...script('console.log(process.env.CELERY_BROKER_URL ?? "not set")'))

  await running.waitForLine(/^not set$/)
})

it('says when a process does not stop', async () => {
  const running = startProcess(
    ...script(`process.on('SIGTERM', () => 0); setInterval(() => 0, 1000); console.log('up')`),
  )
  await running.waitForLine(/up/)

  await expect(running.stop(50)).rejects.toThrow('did not stop')
})

it('kills what the process started with it', async () => {
  const running = startProcess('/bin/sh', ['-c', 'sleep 1000 & echo up; wait'])
  await running.waitForLine(/up/)
  expect(childProcesses().map((child) => child.pid)).toContain(running.pid)

  await running.kill()

  // The child holds the other end of the output for as long as it lives.
  await running.drained
  expect(childProcesses().map((child) => child.pid)).not.toContain(running.pid)
})
