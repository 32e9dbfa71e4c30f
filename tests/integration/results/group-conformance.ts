import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { AsyncResult, fromTuple, savedGroup } from '../../../src/results/async-result.js'
import { GroupResult } from '../../../src/results/group-result.js'
import { ResultTimeoutError } from '../../../src/results/errors.js'
import { ResultSet } from '../../../src/results/result-set.js'
import { taskTuple, type ResultTuple } from '../../../src/serialization/result-tuple.js'
import { stored, type MakeBackend } from './conformance.js'
import type { ResultBackend } from '../../../src/results/result-backend.js'

const BOOM = { exc_type: 'ValueError', exc_message: ['boom'], exc_module: 'builtins' }

/** A group of so many tasks, and the ids of these. */
function makeGroup(backend: ResultBackend, size: number): { group: GroupResult; ids: string[] } {
  const ids = Array.from({ length: size }, () => randomUUID())
  const members = ids.map((id) => new AsyncResult(id, backend))
  return { group: new GroupResult(randomUUID(), members, backend), ids }
}

/** What groups, sets and trees of results are on every result backend. */
export function describeGroupResults(makeBackend: MakeBackend): void {
  it('joins the results of a group in its order, those of a group inside as a list', async () => {
    const backend = await makeBackend()
    const [a, b, c, inner] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
    const tuple: ResultTuple = [
      ['outer', null],
      [
        taskTuple(a),
        [
          [inner, null],
          [taskTuple(b), taskTuple(c)],
        ],
        taskTuple(a),
      ],
    ]
    const group = fromTuple(tuple, backend)
    const joining = group.get({ timeout: 10_000 })
    for (const id of [c, b, a]) await backend.store([stored(id, 'SUCCESS', id)])
    expect(await joining).toEqual([a, [b, c], a])
    expect(await group.get({ timeout: 10_000 })).toEqual([a, [b, c], a])
    expect(group.asTuple()).toEqual(tuple)
  })

  it('joins an empty group at once', async () => {
    const { group } = makeGroup(await makeBackend(), 0)
    expect([await group.join(), await group.ready(), await group.completedCount()]).toEqual([[], true, 0])
  })

  it('throws the first failure of a group, or puts its exception object in place', async () => {
    const backend = await makeBackend()
    const { group, ids } = makeGroup(backend, 3)
    await backend.store([stored(ids[1] ?? '', 'FAILURE', BOOM)])
    // Without waiting for the others.
    await expect(group.join({ timeout: 60_000 })).rejects.toMatchObject({
      excType: 'ValueError',
      taskId: ids[1],
    })
    await backend.store([stored(ids[0] ?? '', 'SUCCESS', 1), stored(ids[2] ?? '', 'SUCCESS', 3)])
    expect(await group.join({ propagate: false })).toEqual([1, BOOM, 3])
  })

  it('row 39: says which tasks of a group were not ready in time', async () => {
    const backend = await makeBackend()
    const { group, ids } = makeGroup(backend, 6)
    await backend.store([stored(ids[0] ?? '', 'SUCCESS', 1), stored(ids[1] ?? '', 'STARTED', null)])
    await expect(group.join({ timeout: 100 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: `5 of 6 tasks were not ready within 100 ms: ${ids.slice(1, 4).join(', ')}, …`,
    })
  })

  it('gives up joining when the signal aborts', async () => {
    const backend = await makeBackend()
    const { group } = makeGroup(backend, 2)
    const reason = new Error('enough')
    await expect(group.join({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const joining = group.join({ signal: controller.signal })
    const rejected = expect(joining).rejects.toBe(reason)
    controller.abort(reason)
    await rejected
  })

  it('counts what a group has completed', async () => {
    const backend = await makeBackend()
    const { group, ids } = makeGroup(backend, 3)
    const seen = async (): Promise<unknown[]> =>
      Promise.all([
        group.completedCount(),
        group.ready(),
        group.waiting(),
        group.successful(),
        group.failed(),
      ])
    expect(await seen()).toEqual([0, false, true, false, false])
    await backend.store([stored(ids[0] ?? '', 'SUCCESS', 1), stored(ids[1] ?? '', 'REVOKED', BOOM)])
    expect(await seen()).toEqual([1, false, true, false, false])
    await backend.store([stored(ids[2] ?? '', 'FAILURE', BOOM)])
    expect(await seen()).toEqual([1, true, false, false, true])
    await backend.store(ids.map((id) => stored(id, 'SUCCESS', 1)))
    expect(await seen()).toEqual([3, true, false, true, false])
  })

  it('iterates over a group as its tasks complete', async () => {
    const backend = await makeBackend()
    const { group, ids } = makeGroup(backend, 3)
    await backend.store([stored(ids[2] ?? '', 'SUCCESS', 'first')])
    const seen: unknown[] = []
    for await (const { taskId, result } of group) {
      seen.push([ids.indexOf(taskId), result])
      if (seen.length === 1) await backend.store([stored(ids[0] ?? '', 'SUCCESS', 'second')])
      if (seen.length === 2) await backend.store([stored(ids[1] ?? '', 'FAILURE', 'third')])
    }
    expect(seen).toEqual([
      [2, 'first'],
      [0, 'second'],
      [1, 'third'],
    ])
  })

  it('saves a group, and finds it by its id', async () => {
    const backend = await makeBackend()
    const { group, ids } = makeGroup(backend, 2)
    await group.save()
    await backend.store(ids.map((id, i) => stored(id, 'SUCCESS', i)))
    const found = savedGroup(group.id, backend)
    expect(await found.join()).toEqual([0, 1])
    expect(found.asTuple()).toEqual(group.asTuple())
    await found.delete()
    expect(await group.join()).toEqual([0, 1])
    await expect(savedGroup(group.id, backend).join()).rejects.toMatchObject({ code: 'GROUP_NOT_FOUND' })
  })

  it('says that a group was never saved', async () => {
    const group = savedGroup('nobody-saved-me', await makeBackend())
    expect(() => group.asTuple()).toThrow('group nobody-saved-me is not restored yet')
    for (const ask of [() => group.join(), () => group.ready(), () => group.save(), () => group.forget()]) {
      await expect(ask()).rejects.toThrow('group nobody-saved-me is not known: it was never saved')
    }
  })

  it('row 12: forgets a group and all its results', async () => {
    const backend = await makeBackend()
    const { group, ids } = makeGroup(backend, 3)
    await backend.store(ids.map((id) => stored(id, 'SUCCESS', 1)))
    await group.save()
    await group.forget()
    expect(await backend.fetchMany(ids)).toEqual([undefined, undefined, undefined])
    expect(await backend.restoreGroup(group.id)).toBeUndefined()
  })

  it('forgets with a result those of its parents', async () => {
    const backend = await makeBackend()
    const parent = new AsyncResult(randomUUID(), backend)
    const result = new AsyncResult(randomUUID(), backend, parent)
    await backend.store([stored(parent.id, 'SUCCESS', 1), stored(result.id, 'SUCCESS', 2)])
    await result.forget()
    expect(await backend.fetchMany([parent.id, result.id])).toEqual([undefined, undefined])
  })

  it('throws what the first failed parent failed with', async () => {
    const backend = await makeBackend()
    const failure = (why: string): object => ({ ...BOOM, exc_message: [why] })
    const [root, one, two, id] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
    const members = [one, two].map((each) => new AsyncResult(each, backend))
    const header = new GroupResult('header', members, backend, new AsyncResult(root, backend))
    const result = new AsyncResult(id, backend, header)
    await backend.store([stored(root, 'SUCCESS', 1), stored(one, 'SUCCESS', 1)])
    await expect(result.get({ timeout: 1 })).rejects.toBeInstanceOf(ResultTimeoutError)
    await backend.store([stored(two, 'FAILURE', failure('two'))])
    await expect(result.get({ timeout: 1 }), 'also of one that is never ready').rejects.toThrow('two')
    await backend.store([stored(id, 'FAILURE', failure('own'))])
    await expect(result.get()).rejects.toThrow('two')
    await expect(result.get({ followParents: false })).rejects.toThrow('own')
    expect(await result.get({ propagate: false })).toEqual(failure('own'))
    await backend.forget([two])
    await expect(result.get()).rejects.toThrow('own')
  })

  it('looks at any results together', async () => {
    const backend = await makeBackend()
    const [one, two] = [new AsyncResult(randomUUID(), backend), new AsyncResult(randomUUID(), backend)]
    const set = new ResultSet([one], backend)
    set.add(two)
    set.add(one)
    await backend.store([stored(one.id, 'SUCCESS', 1), stored(two.id, 'SUCCESS', 2)])
    expect(await set.join()).toEqual([1, 2])
  })

  it('collects a result and all that was started by it', async () => {
    const backend = await makeBackend()
    const [root, child, inGroup, grandchild] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
    const group: ResultTuple = [['g', null], [taskTuple(inGroup)]]
    const result = new AsyncResult(root, backend)
    const collected: unknown[] = []
    const collecting = (async () => {
      for await (const [{ id }, value] of result.collect({ timeout: 10_000 })) collected.push([id, value])
    })()
    await backend.store([stored(root, 'SUCCESS', 0, { children: [taskTuple(child), group] })])
    await backend.store([stored(child, 'SUCCESS', 1, { children: [taskTuple(grandchild), taskTuple(root)] })])
    await backend.store([stored(inGroup, 'SUCCESS', 2)])
    await backend.store([stored(grandchild, 'SUCCESS', 3)])
    await collecting
    expect(collected).toEqual([
      [root, 0],
      [child, 1],
      ['g', [2]],
      [grandchild, 3],
      [inGroup, 2],
    ])
    const steps = await result.graph()
    expect(steps.map(({ node, parent }) => [node.id, parent?.id])).toEqual([
      [root, undefined],
      [child, root],
      ['g', root],
      [grandchild, child],
      [inGroup, 'g'],
    ])
  })

  it('reads children and parents off the tuples', async () => {
    const backend = await makeBackend()
    const id = randomUUID()
    const children: ResultTuple[] = [
      [['b', [['a', null], null]], null],
      [['g', null], [taskTuple('c')]],
    ]
    await backend.store([stored(id, 'SUCCESS', 1, { children })])
    const nodes = await new AsyncResult(id, backend).children()
    expect(nodes.map(({ kind, id: nodeId, parent }) => [kind, nodeId, parent?.id])).toEqual([
      ['task', 'b', 'a'],
      ['group', 'g', undefined],
    ])
    expect(nodes.map((node) => node.asTuple())).toEqual(children)
  })

  it('row 39: tells what is known of a task that was not ready in time', async () => {
    const backend = await makeBackend()
    const [started, unknown] = [randomUUID(), randomUUID()]
    await backend.store([stored(started, 'STARTED', { pid: 1 })])
    await expect(new AsyncResult(started, backend).get({ timeout: 50 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      state: 'STARTED',
      message: `task ${started} was not ready within 50 ms: it is STARTED`,
    })
    await expect(new AsyncResult(unknown, backend).get({ timeout: 50 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      state: undefined,
      message: expect.stringContaining('nothing is stored of it: it waits or runs') as string,
    })
    expect(await new AsyncResult(started, backend).exists()).toBe(true)
    expect(await new AsyncResult(unknown, backend).exists()).toBe(false)
  })

  it('row 39: waits for no result that the call said to ignore', async () => {
    const backend = await makeBackend()
    const ignored = new AsyncResult(randomUUID(), backend, undefined, { isIgnored: true })
    const other = new AsyncResult(randomUUID(), backend)
    await backend.store([stored(other.id, 'SUCCESS', 1)])
    expect(await ignored.get()).toBeNull()
    expect(await new GroupResult('g', [ignored, other], backend).join()).toEqual([null, 1])
  })
}
