import { expect, it } from 'vitest'
import { createStaff, type Job, type Staff } from '../../../../src/worker/pool/staff.js'
import { silentLog } from '../../../../src/log.js'
import type { ChildEnd } from '../../../../src/worker/pool/child/child.js'
import type { FromChild, ToChild } from '../../../../src/worker/pool/child/messages.js'

interface FakeChild {
  readonly id: number
  readonly received: ToChild[]
  say(this: void, message: FromChild): void
  end(this: void, how: string): void
  kills: number
  /** Tells its memory. */
  memory: () => Promise<number>
}

const ENDED: FromChild = { type: 'ended', outcome: { kind: 'ignore' }, memoryKib: undefined }

/** A staff of children that do nothing by themselves. */
function fakeStaff(
  count: number,
  memoryLimitKib?: number,
): { readonly staff: Staff; readonly children: FakeChild[] } {
  const children: FakeChild[] = []
  const staff = createStaff({
    count,
    tasks: () => [],
    startTimeoutMs: 1000,
    maxTasks: undefined,
    maxMemoryKib: undefined,
    memoryLimitKib,
    log: silentLog,
    startChild(say) {
      let end = (_how: string): void => undefined
      const ended = new Promise<ChildEnd>((resolve) => {
        end = (how) => resolve({ how, cause: 'WORKER_LOST' })
      })
      const received: ToChild[] = []
      const child: FakeChild = {
        id: children.length,
        received,
        say,
        end: (how) => end(how),
        kills: 0,
        memory: () => Promise.resolve(1),
      }
      children.push(child)
      queueMicrotask(() => say({ type: 'ready', tasks: [] }))
      return {
        id: child.id,
        ended,
        send: (message) => void received.push(message),
        signal: () => undefined,
        kill: () => void child.kills++,
        memoryKib: () => child.memory(),
      }
    },
  })
  return { staff, children }
}

function job(): Job & { readonly lost: string[]; readonly exceeded: () => boolean } {
  const lost: string[] = []
  let isExceeded = false
  return {
    lost,
    exceeded: () => isExceeded,
    onMessage: () => undefined,
    onMemoryExceeded: () => (isExceeded = true),
    onLost: ({ how }) => void lost.push(how),
  }
}

const never = new AbortController().signal

it('gives no other task to a child that was told to die, though its last one ends before', async () => {
  const { staff, children } = fakeStaff(1)
  await staff.start()
  const member = await staff.assign(job(), never)
  member?.kill()
  const next = job()
  const assigned = staff.assign(next, never)
  children[0]?.say(ENDED)
  children[0]?.end('signal 9 (SIGKILL)')
  ;(await assigned)?.send({ type: 'run', envelope: '{}', softLimit: undefined })
  expect(children.map(({ received }) => received.length)).toEqual([0, 1])
  expect(next.lost).toEqual([])
})

it('tells whose task a child ran that died, and nobody where it had none', async () => {
  const { staff, children } = fakeStaff(2)
  await staff.start()
  const mine = job()
  const member = await staff.assign(mine, never)
  member?.send({ type: 'run', envelope: '{}', softLimit: undefined })
  for (const { received, end } of children) end(received.length > 0 ? 'exitcode 3' : 'exitcode 4')
  await expect.poll(() => mine.lost).toEqual(['exitcode 3'])
  await expect.poll(() => staff.ids).toEqual([2, 3])
})

it('takes back who waits for a child and gives up', async () => {
  const { staff } = fakeStaff(1)
  await staff.start()
  const first = await staff.assign(job(), never)
  const giveUp = new AbortController()
  const waiting = staff.assign(job(), giveUp.signal)
  giveUp.abort()
  expect(await waiting).toBeUndefined()
  expect(first).toBeDefined()
})

it('kills a child that takes more memory than it may, whether it works or waits, and gives it no other task', async () => {
  const { staff, children } = fakeStaff(2, 1000)
  await staff.start()
  const mine = job()
  const member = await staff.assign(mine, never)
  for (const child of children) child.memory = () => Promise.resolve(1001)
  await expect.poll(() => children.map(({ kills }) => kills), { timeout: 4000 }).toEqual([1, 1])
  expect(mine.exceeded()).toBe(true)
  const next = staff.assign(job(), never)
  for (const { end } of children) end('signal 9 (SIGKILL)')
  await expect.poll(() => mine.lost).toEqual(['signal 9 (SIGKILL), for more than 1000 KiB of memory'])
  expect([0, 1]).toContain(member?.id)
  expect([2, 3]).toContain((await next)?.id)
  const stopping = staff.stop()
  for (const { end } of children) end('signal 9 (SIGKILL)')
  await stopping
})

it('does not start where children take more memory than they may before their first task', async () => {
  const { staff, children } = fakeStaff(1, 0.5)
  const starting = staff.start()
  starting.catch(() => undefined)
  await expect.poll(() => children[0]?.kills).toBeGreaterThan(0)
  children[0]?.end('signal 9 (SIGKILL)')
  await expect(starting).rejects.toThrow(
    'a child of the pool takes 1 KiB before its first task, and may take 0.5',
  )
})

it('does not hold against a task what the one before it has taken', async () => {
  const { staff, children } = fakeStaff(1, 1000)
  await staff.start()
  const [child] = children
  if (child === undefined) throw new Error('no child')
  await staff.assign(job(), never)
  let tell = (_kib: number): void => undefined
  const told = new Promise<number>((resolve) => (tell = resolve))
  await new Promise<void>((asked) => {
    child.memory = () => {
      asked()
      return told
    }
  })
  child.say(ENDED)
  const next = job()
  await staff.assign(next, never)
  tell(1001)
  child.memory = () => Promise.resolve(1000)
  await new Promise((resolve) => setImmediate(resolve))
  expect({ exceeded: next.exceeded(), kills: child.kills }).toEqual({ exceeded: false, kills: 0 })
  const stopping = staff.stop()
  child.end('signal 9 (SIGKILL)')
  await stopping
})
