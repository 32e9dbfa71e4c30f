import { expect, it } from 'vitest'
import { createAsyncPool } from '../../../../src/worker/pool/async-pool.js'
import { createSlots } from '../../../../src/worker/pool/slots.js'

/** Work that ends when it is told to. */
function work(): { readonly run: () => Promise<void>; readonly end: () => void; hasBegun(): boolean } {
  let end = (): void => undefined
  const ended = new Promise<void>((resolve) => (end = resolve))
  let begun = false
  return {
    run: () => {
      begun = true
      return ended
    },
    end: () => end(),
    hasBegun: () => begun,
  }
}

it('begins what waits when there are more slots, and tells so', () => {
  const slots = createSlots(1)
  const [first, second] = [work(), work()]
  let told = 0
  slots.onGrow(() => told++)
  slots.submit(first.run)
  slots.submit(second.run)
  expect(second.hasBegun()).toBe(false)
  slots.resize(2)
  expect([second.hasBegun(), told, slots.active, slots.reserved]).toEqual([true, 1, 2, 0])
})

it('lets what runs end before it has fewer slots', async () => {
  const slots = createSlots(2)
  const all = [work(), work(), work()]
  for (const { run } of all) slots.submit(run)
  slots.resize(1)
  all[0]?.end()
  await Promise.resolve()
  expect([slots.active, all[2]?.hasBegun()]).toEqual([1, false])
  all[1]?.end()
  await expect.poll(() => all[2]?.hasBegun()).toBe(true)
})

it('gives slots in turn to the line and to others, and all to the one that has work', () => {
  const slots = createSlots(1)
  const begun: string[] = []
  const note = (name: string) => (): void => void begun.push(name)
  const first = work()
  slots.submit(first.run)
  const others = [note('other 1'), note('other 2'), note('other 3')]
  const moreOfOthers = slots.shareWith(() => others.shift())
  for (const name of ['line 1', 'line 2']) slots.submit(note(name))
  slots.resize(2)
  expect(begun).toEqual(['line 1', 'other 1', 'line 2', 'other 2', 'other 3'])
  others.push(note('other 4'))
  moreOfOthers()
  slots.submit(note('line 3'))
  expect(begun.slice(5)).toEqual(['other 4', 'line 3'])
})

it('grows and shrinks a pool, but neither to nothing nor one of a fixed size', async () => {
  const pool = createAsyncPool('async', 2)
  await pool.grow(3)
  await pool.shrink(4)
  expect(pool.slots.concurrency).toBe(1)
  await expect(pool.shrink(1)).rejects.toThrow('a pool of 1 slots cannot shrink by 1')
  for (const count of [0, -1, 1.5, NaN, 'many']) {
    const fault = /: expected an integer, 1 or more, got (number|string) \S+$/
    await expect(pool.grow(count as number)).rejects.toThrow(fault)
    await expect(pool.shrink(count as number)).rejects.toThrow(fault)
  }
  await expect(createAsyncPool('solo', 5).grow(1)).rejects.toThrow('the kind solo has one slot')
})
