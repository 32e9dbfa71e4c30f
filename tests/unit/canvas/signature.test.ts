import { describe, expect, it } from 'vitest'
import {
  Celery,
  InvalidSignatureError,
  chain,
  chord,
  group,
  signature,
  type AnySignature,
  type Signature,
  type SignatureData,
} from '../../../src/index.js'
import { FOLDERS, scenario } from '../serialization/vectors.js'
import { sentBy } from './sent-messages.js'

const app = new Celery('signatures')
const add = app.task('add', (x: number, y: number) => x + y)
const task = app.remoteTask('task')
const total = app.task('total', (numbers: number[]) => numbers.length)

const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('a signature', () => {
  it('is written as Celery writes it', () => {
    const v = <Args extends readonly unknown[]>(name: string) => app.remoteTask<Args>(`v.${name}`)
    const vAdd = v<[number, number]>('add')
    const mul = v<[number, number]>('mul')
    const xsum = v('xsum')
    const written: Readonly<Record<string, AnySignature>> = {
      'add.s(1, 2)': vAdd.s(1, 2),
      "add.si(1, 2).set(queue='q', countdown=3, priority=5)": vAdd
        .si(1, 2)
        .set({ queue: 'q', countdown: 3, priority: 5 }),
      'add.s(1, y=2)': vAdd.signature({ args: [1], kwargs: { y: 2 } }),
      'chain(add.s(1, 2), mul.s(3))': chain(vAdd.s(1, 2), mul.s(3)),
      'group(add.s(1, 2), mul.s(3, 4))': group(vAdd.s(1, 2), mul.s(3, 4)),
      'chord([add.s(1, 2), mul.s(3, 4)], xsum.s())': chord([vAdd.s(1, 2), mul.s(3, 4)], xsum.s()),
      'chord(group(...), chain)': chord(group(vAdd.s(1, 2), mul.s(3, 4)), chain(xsum.s(), vAdd.s(1))),
      'xsum.map([[1], [2]])': xsum.map([[1], [2]]),
      'add.starmap([(1, 2)])': vAdd.starmap([[1, 2]]),
      'add.chunks([(1, 1), (2, 2)], 1)': vAdd.chunks(
        [
          [1, 1],
          [2, 2],
        ],
        1,
      ),
      'add.s(1, 2) with link and link_error': vAdd
        .s(1, 2)
        .link(v('on_success').s())
        .linkError(v('errback_old').s()),
    }
    let compared = 0
    for (const { label = '', raw = '' } of scenario('celery-5.6.3', 'signature_json')) {
      const ours = written[label]
      if (ours === undefined) continue
      expect(JSON.stringify(ours), label).toBe(JSON.stringify(JSON.parse(raw)))
      compared++
    }
    expect(compared).toBe(Object.keys(written).length)
  })

  it.each(FOLDERS.slice(0, 2))('of %s is read, and written again as it was', (folder) => {
    for (const { label, raw } of scenario(folder, 'signature_json')) {
      if (raw?.startsWith('{"task"'))
        expect(JSON.stringify(signature(JSON.parse(raw) as object)), label).toBe(
          JSON.stringify(JSON.parse(raw)),
        )
    }
  })

  it('is not changed by what is made of it', () => {
    const first = add.s(2)
    const before = asJson(first)
    const other = first
      .set({ queue: 'q' })
      .clone({ args: [1] })
      .link(add.s(3))
      .onError(add.si(4, 5))
    first.then(add.s(1))

    expect(asJson(first)).toEqual(before)
    expect(asJson(other)).toEqual({
      task: 'add',
      args: [1, 2],
      kwargs: {},
      options: { queue: 'q', link: [asJson(add.s(3))], link_error: [asJson(add.si(4, 5))] },
      subtask_type: null,
      immutable: false,
    })
  })

  it('says what is wrong when it is awaited', async () => {
    const first: unknown = add.s(1, 2)
    await expect((async () => await first)()).rejects.toThrow(/a signature of add was awaited.*applyAsync/)
  })

  it('that belongs to no app says so when it is sent', async () => {
    await expect(signature('add').applyAsync()).rejects.toMatchObject({ code: 'INVALID_SIGNATURE' })
    await expect(chain(signature('add'), signature('add')).delay()).rejects.toThrow(/belongs to no app/)
  })

  it('gets the same callback once', () => {
    const linked = add.s(1, 2).link(add.s(3), add.s(3)).link(add.s(3))
    expect(linked.options['link']).toHaveLength(1)
  })
})

describe('stamps', () => {
  it('leave the signature that is stamped as it is', () => {
    const canvas = chain(add.s(1, 2), add.s(3).link(task.s()))
    const before = asJson(canvas)
    canvas.stamp({ tenant: 't1' })
    expect(asJson(canvas)).toEqual(before)
  })

  it('tell a visitor of the end of each part, and what its stamps are', () => {
    const ends: unknown[] = []
    const tell = (where: string) => (part: Signature<unknown>, stamps: object) => {
      ends.push([where, part.task, Object.keys(stamps)])
      return undefined
    }
    const visitor = {
      onSignature: tell('task'),
      onGroupEnd: tell('group'),
      onChainEnd: tell('chain'),
      onChordHeaderEnd: tell('header'),
    }
    group(chain(task.s(1), chord([task.s(2), task.s(3)], task.s(4)))).stamp({ visitor, tenant: 't1' })
    const told = (where: string, name: string): unknown => [where, name, ['tenant']]
    expect(ends).toEqual([
      told('task', 'task'),
      told('task', 'task'),
      told('task', 'task'),
      told('header', 'celery.chord'),
      told('task', 'task'),
      told('chain', 'celery.chain'),
      told('group', 'celery.group'),
    ])
  })

  it.each([
    ['no visitor', { visitor: 5 }, 'stamp: expected a visitor with a method onSignature, got number 5'],
    [
      'stamps that are none',
      { visitor: { onSignature: () => 'tenant' } },
      'onSignature: expected stamps as an object, got string "tenant"',
    ],
    [
      'names that are none',
      { stampedHeaders: 'tenant' },
      'stamp: expected names of stamps as stampedHeaders, got string "tenant"',
    ],
  ])('refuses %s', (_, call, message) => {
    expect(() => add.s(1, 2).stamp(call as never)).toThrow(message)
  })
})

describe('errbacks of a chord', () => {
  const errback = signature('told')
  /** The tasks that have the errback, by their arguments. */
  const linked = (canvas: AnySignature): unknown[] => {
    const found: unknown[] = []
    const visit = (data: SignatureData): void => {
      if (data.options['link_error'] !== undefined) found.push(data.args[0])
      const { header = [], body, tasks = [] } = data.kwargs as { readonly [name: string]: SignatureData[] }
      ;[...header, ...tasks, ...(body === undefined ? [] : [body].flat())].forEach(visit)
    }
    visit(canvas.toJSON())
    return found.sort()
  }

  it('are those of its body, and of chords in its header', () => {
    const inner = chord([task.s(1), task.s(2)], task.s('inner'))
    expect(linked(chord([inner, task.s(3)], task.s('body')).linkError(errback))).toEqual(['body', 'inner'])
  })

  it('are those of its header, too, with taskAllowErrorCbOnChordHeader', () => {
    const told = new Celery('told', { taskAllowErrorCbOnChordHeader: true }).remoteTask('t')
    const inner = chord([told.s(1), told.s(2)], told.s(9))
    expect(linked(chord([inner, told.s(3)], told.s(8)).linkError(errback))).toEqual([1, 2, 3, 8, 9])
    const plain = chord([told.s(1), told.s(2)], told.s(9).linkError(errback))
    expect(linked(plain), 'what was linked to the body before').toEqual([9])
  })
})

describe('together', () => {
  const read = (canvas: AnySignature): string => shape(canvas as unknown as SignatureData)

  // Celery's `|`, rule by rule: t, u, v are tasks, E is an empty group.
  const t = task.s(1)
  const u = task.s(2)
  const v = task.s(3)
  const empty = group()
  it.each([
    ['task | task', chain(t, u), 'chain(1, 2)'],
    ['chain | task', chain(chain(t, u), v), 'chain(1, 2, 3)'],
    ['task | chain', chain(t, chain(u, v)), 'chain(1, 2, 3)'],
    ['task | group', chain(t, group(u, v)), 'chain(1, group(2, 3))'],
    ['group | task', chain(group(t, u), v), 'chord([1, 2], 3)'],
    ['group | group', chain(group(t, u), group(u, v)), 'chord([1, 2], group(2, 3))'],
    ['task | group | task', chain(t, group(t, u), v), 'chain(1, chord([1, 2], 3))'],
    ['group | task | task', chain(group(t, u), v, u), 'chord([1, 2], chain(3, 2))'],
    ['group | task | group', chain(group(t, u), v, group(t, u)), 'chord([1, 2], chain(3, group(1, 2)))'],
    [
      'group | task | group | task',
      chain(group(t, u), v, group(t, u), v),
      'chord([1, 2], chain(3, chord([1, 2], 3)))',
    ],
    ['chord | task', chord([t, u], v).then(t), 'chord([1, 2], chain(3, 1))'],
    ['a chain of chord and task', chain(chord([t, u], v), t), 'chain(chord([1, 2], chain(3, 1)))'],
    ['chain of a chord | task', chain(chord([t, u], v)).then(t), 'chain(chord([1, 2], chain(3, 1)))'],
    ['chord | group', chord([t, u], v).then(group(t, u)), 'chord([1, 2], chain(3, group(1, 2)))'],
    ['chord | chord', chain(chord([t, u], v), chord([t], u)), 'chain(chord([1, 2], 3), chord([1], 2))'],
    ['task | group of one', chain(t, group(u)), 'chain(1, 2)'],
    ['group of one | task', chain(group(t), u), 'chain(1, 2)'],
    ['empty group | task', chain(empty, t, u), 'chain(1, 2)'],
    ['task | empty group | task', chain(t, empty, u), 'chain(1, 2)'],
    ['an operator is a chain', t.then(group(t, u)).then(v), 'chain(1, chord([1, 2], 3))'],
    ['a list is its members', chain([t, u, v]), 'chain(1, 2, 3)'],
    ['a chain of one', chain(t), 'chain(1)'],
    ['group of groups stays until it is sent', group(t, group(u, v)), 'group(1, group(2, 3))'],
    ['group of a group', group(group(u, v)), 'group(2, 3)'],
  ])('%s', (_, canvas, expected) => {
    expect(read(canvas as AnySignature)).toBe(expected)
  })

  it('links of a chain go to its last step, and its errbacks to each', () => {
    const spliced = chain(chain(t, u).link(add.s(8)).linkError(add.s(9)), v)
    const [first, second, third] = spliced.kwargs['tasks'] as SignatureData[]
    expect(asJson(first?.options)).toEqual({ link_error: [asJson(add.s(9))] })
    expect(asJson(second?.options)).toEqual({ link: [asJson(add.s(8))], link_error: [asJson(add.s(9))] })
    expect(third?.options).toEqual({})
  })

  it('links of a chord go to its body; of a group to its first member, without a result', () => {
    const linked = chord([t, u], task.s()).link(add.s(8)).onError(add.s(9))
    expect(asJson((linked.kwargs['body'] as SignatureData).options)).toEqual({
      link: [asJson(add.s(8))],
      link_error: [asJson(add.s(9))],
    })
    expect(linked.options).toEqual({})

    const [first, second] = group(t, u).link(add.si(8, 8)).onError(add.s(9)).kwargs[
      'tasks'
    ] as SignatureData[]
    expect(asJson(first?.options)).toEqual({ link: [asJson(add.si(8, 8))], link_error: [asJson(add.s(9))] })
    expect(asJson(second?.options)).toEqual({ link_error: [asJson(add.s(9))] })
  })

  it('a task id given to a chain is its last step’s, to a chord its body’s, to a group its own', async () => {
    const last = await sentBy(chain(add.s(1, 2), add.s(3)), { taskId: 'c' })
    expect(last.result.id).toBe('c')
    expect((await sentBy(chain(add.s(1, 2), add.s(3)).set({ taskId: 'c' }))).result.id).toBe('c')
    expect((await sentBy(chord([add.s(1, 2)], total.s()), { taskId: 'b' })).result.id).toBe('b')
    expect((await sentBy(chord([add.s(1, 2)], total.s()).set({ taskId: 'b' }))).result.id).toBe('b')
    const members = await sentBy(group(add.s(1, 2), add.s(3, 4)), { taskId: 'g' })
    expect(members.result.id).toBe('g')
    expect(members.messages.map(({ headers }) => headers['group'])).toEqual(['g', 'g'])
  })

  it('a delay of a chord is its header’s; what follows it follows its body', async () => {
    const { messages } = await sentBy(chain(chord([add.s(1, 2)], total.s()), chord([task.s(3)], task.s())), {
      countdown: 60,
    })
    const [header] = messages
    const { chord: body } = header?.body[2] as { chord: SignatureData }
    expect(header?.headers['eta']).not.toBeNull()
    expect(body.options).not.toHaveProperty('countdown')
    expect(body.options['chain']).toMatchObject([{ subtask_type: 'chord' }])
  })
})

describe('what is no signature', () => {
  const loop: Record<string, unknown> = { task: 'celery.chain', subtask_type: 'chain' }
  loop['kwargs'] = { tasks: [loop] }
  const selfLinked: Record<string, unknown> = { task: 'add' }
  selfLinked['options'] = { link: [selfLinked] }

  it.each<[string, () => unknown, RegExp]>([
    [
      'a number in a chain',
      () => chain(add.s(1, 2), 5 as never),
      /chain: step 2: a signature must be an object, got number 5/,
    ],
    ['nothing in a chain', () => chain([]), /chain: expected signatures, got none/],
    [
      'a function in a group',
      () => group(add.s(1, 2), (() => 1) as never),
      /group: member 2: a signature must be an object/,
    ],
    ['a header that is none', () => chord([null as never], total.s()), /chord: member 1 of the header/],
    [
      'no body',
      () => chord([add.s(1, 2)], undefined as never),
      /chord: expected a signature as its body, got undefined/,
    ],
    [
      'a link that is none',
      () => add.s(1).link('x' as never),
      /link: a signature must be an object, got string "x"/,
    ],
    ['an empty name', () => signature(''), /expected a task name/],
    [
      'a name that is none',
      () => signature({ task: 5 }),
      /a signature's task must be a task name, got number 5/,
    ],
    [
      'arguments that are no list',
      () => signature('t', { args: 'x' as never }),
      /args of the signature of t must be a list/,
    ],
    [
      'members that are no list',
      () => signature({ task: 'celery.group', subtask_type: 'group' }),
      /tasks must be a list of signatures/,
    ],
    [
      'a body that is none',
      () => signature({ task: 'celery.chord', subtask_type: 'chord', kwargs: { header: [] } }),
      /body: a signature must be an object/,
    ],
    ['one that contains itself', () => signature(loop), /nested deeper than 250 levels, or contains itself/],
    [
      'one that is linked to itself',
      () => signature(selfLinked),
      /nested deeper than 250 levels, or contains itself/,
    ],
    ['no size', () => add.chunks([[1, 2]], 0), /chunks of add: expected a size of 1 or more, got 0/],
  ])('%s is refused with its place', (_, make, message) => {
    expect(make).toThrow(InvalidSignatureError)
    expect(make).toThrow(message)
  })

  it('an empty chain cannot be sent', async () => {
    const none = app.signature({ task: 'celery.chain', subtask_type: 'chain', kwargs: { tasks: [] } })
    await expect(none.applyAsync()).rejects.toThrow(/a chain without a task/)
  })
})

describe('what is large', () => {
  it('a chain of 1,000 steps goes out as one message', async () => {
    const steps = [task.s(1, 1), ...Array.from({ length: 999 }, () => task.s(1))]
    const { messages } = await sentBy(chain(steps))
    expect(messages).toHaveLength(1)
    expect(messages[0]?.body[2]['chain']).toHaveLength(999)
  })

  it('chains, groups and chords nested 200 deep go out', async () => {
    let chains: Signature<unknown> = add.si(1, 1)
    let groups: Signature<unknown> = add.si(1, 1)
    let chords: Signature<unknown> = add.si(1, 1)
    for (let depth = 0; depth < 200; depth++) {
      chains = signature({
        task: 'celery.chain',
        subtask_type: 'chain',
        kwargs: { tasks: [chains, add.s(1)] },
      })
      groups = group(groups, add.si(1, 1))
      chords = chord([add.si(1, 1)], chords)
    }
    expect((await sentBy(chains)).messages).toHaveLength(1)
    expect((await sentBy(groups)).messages).toHaveLength(201)
    expect((await sentBy(chords)).messages).toHaveLength(1)
  })

  it('row 47: a message is as long as its canvas, also for 50 chained chords', async () => {
    const bytesOf = async (chords: number): Promise<number> => {
      const steps = Array.from({ length: chords }, () => [
        group(task.s(1), task.s(2), task.s(3)),
        task.s(),
      ]).flat()
      const { texts } = await sentBy(chain([task.s(1, 1), ...steps]))
      return Math.max(...texts.map((text) => text.length))
    }
    const [ten, fifty] = [await bytesOf(10), await bytesOf(50)]
    expect(fifty).toBeLessThan(6 * ten)
    expect(fifty).toBeLessThan(50 * 5_000)
  })

  it('row 47: the header of 50 chained chords says what follows once in each of its messages', async () => {
    const steps = Array.from({ length: 50 }, () => [group(task.s(1), task.s(2), task.s(3)), task.s()]).flat()
    const { texts } = await sentBy(chain(steps))
    expect(texts).toHaveLength(3)
    expect(Math.max(...texts.map((text) => text.length))).toBeLessThan(50 * 5_000)
  })
})

/** A canvas in one line, tasks by their first argument. */
function shape(data: SignatureData): string {
  const list = (tasks: unknown): string => (tasks as SignatureData[]).map(shape).join(', ')
  const { kwargs, subtask_type: type } = data
  if (type === 'chain' || type === 'group') return `${type}(${list(kwargs['tasks'])})`
  if (type === 'chord') return `chord([${list(kwargs['header'])}], ${shape(kwargs['body'] as SignatureData)})`
  return String(data.args[0])
}
