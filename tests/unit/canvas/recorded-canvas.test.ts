import { describe, expect, it } from 'vitest'
import { Celery, chain, chord, group, type AnySignature } from '../../../src/index.js'
import { sentBy } from './sent-messages.js'
import type { SignatureData } from '../../../src/canvas/signature-data.js'
import { messagesOf, type RecordedMessage } from './vectors.js'

const app = new Celery('vectors')
const add = app.remoteTask<[number, number], number>('v.add')
const mul = app.remoteTask<[number, number], number>('v.mul')
const xsum = app.remoteTask<[number[]], number>('v.xsum')
const anySum = app.remoteTask<unknown[], number>('v.xsum')
const onSuccess = app.remoteTask('v.on_success')
const errback = app.remoteTask('v.errback_old')
const errbackNew = app.remoteTask('v.errback_new')

type Options = Readonly<Record<string, unknown>>
type Row = readonly [call: string, canvas: AnySignature, options?: Options]

const SCENARIOS: Readonly<Record<string, readonly Row[]>> = {
  publish_chain: [
    ['chain(add.s(1, 2), mul.s(3), add.s(4)).apply_async()', chain(add.s(1, 2), mul.s(3), add.s(4))],
    [
      'chain with options, immutable step, link_error',
      chain(add.s(1, 2).set({ queue: 'first' }), mul.si(3, 4).set({ countdown: 5, priority: 3 })).onError(
        errback.s(),
      ),
    ],
    [
      'chain(...).apply_async(task_id=..., link=...)',
      chain(add.s(1, 2), mul.s(3)),
      { taskId: '00000000-0000-4000-8000-000000000080', link: onSuccess.s() },
    ],
    ['chain with a chain inside', chain(add.s(1, 1), chain(add.s(2), add.s(3)), add.s(4))],
  ],
  publish_group: [
    [
      'group(add.s(1, 1), add.s(2, 2), mul.s(3, 3)).apply_async()',
      group(add.s(1, 1), add.s(2, 2), mul.s(3, 3)),
    ],
    ['group of a chain and a task', group(chain(add.s(1, 1), add.s(10)), mul.s(3, 3))],
    ['group in a group', group(add.s(1, 1), group(add.s(2, 2), add.s(3, 3)))],
  ],
  publish_chord: [
    ['chord([add.s(1, 1), add.s(2, 2)])(xsum.s())', chord([add.s(1, 1), add.s(2, 2)], xsum.s())],
    ['chord of one task', chord([add.s(1, 1)], xsum.s())],
    ['chord with empty header', chord([], anySum.s())],
    [
      'chord with link and link_error on the body',
      chord(
        [add.s(1, 1), add.s(2, 2)],
        anySum.s().link(onSuccess.s()).linkError(errback.s()).set({ queue: 'bodyq' }),
      ),
    ],
    ['chord whose body is a chain', chord([add.s(1, 1), add.s(2, 2)], chain(xsum.s(), add.s(5)))],
    ['chord whose header holds a chain', chord([chain(add.s(1, 1), add.s(2)), add.s(3, 3)], xsum.s())],
    ['chord whose header holds a group', chord([group(add.s(1, 1), add.s(2, 2)), add.s(3, 3)], anySum.s())],
    ['chain(group, task): upgraded to a chord', chain(group(add.s(1, 1), add.s(2, 2)), xsum.s())],
    ['chain(task, group): group last', chain(add.s(1, 1), group(add.s(2), add.s(3)))],
    ['chord whose body is a group', chord([add.s(1, 1), add.s(2, 2)], group(xsum.s(), xsum.s()))],
    [
      'chord whose header holds a chord',
      chord([chord([add.s(1, 1), add.s(2, 2)], xsum.s()), add.s(3, 3)], xsum.s()),
    ],
    ['chain(task, group, task)', chain(add.s(1, 1), group(add.s(2), add.s(3)), xsum.s())],
  ],
  publish_links: [
    ['link=on_success.s()', add.s(1, 2), { link: onSuccess.s() }],
    [
      "link=[on_success.s(), mul.s(3).set(queue='other')]",
      add.s(1, 2).link(onSuccess.s(), mul.s(3).set({ queue: 'other' })),
    ],
    [
      'link_error=[errback_old.s(), errback_new.si()], link=on_success.si(9)',
      add.s(1, 2).linkError(errback.s(), errbackNew.si()).link(onSuccess.si(9)),
    ],
  ],
  publish_map: [
    ['xsum.map([[1, 2], [3]]).apply_async()', xsum.map([[1, 2], [3]])],
    [
      'add.starmap([(1, 2), (3, 4)]).apply_async()',
      add.starmap([
        [1, 2],
        [3, 4],
      ]),
    ],
    [
      'add.chunks([(1, 1), (2, 2), (3, 3)], 2).apply_async()',
      add.chunks(
        [
          [1, 1],
          [2, 2],
          [3, 3],
        ],
        2,
      ),
    ],
  ],
  publish_stamps: [
    [
      "sig.stamp(tenant='t1', batch=['b1', 'b2']); sig.apply_async()",
      add.s(1, 2).stamp({ tenant: 't1', batch: ['b1', 'b2'] }),
    ],
    [
      'group stamped by a visitor',
      group(add.s(1, 1), add.s(2, 2)).stamp({
        visitor: { onSignature: () => ({ monitoring: 'm-1' }), onGroupStart: () => ({ in_group: true }) },
      }),
    ],
    ["chain stamped with tenant='t1'", chain(add.s(1, 1), mul.s(2)).stamp({ tenant: 't1' })],
    ["add.apply_async(stamped_headers=['s'], s='v')", add.s(1, 2), { stampedHeaders: ['s'], s: 'v' }],
    ["add.apply_async(stamped_headers=['s'], s='v')", add.s(1, 2), { stamps: { s: 'v' } }],
  ],
  group_index_options: [
    [
      "group(...).apply_async(queue='gq', priority=6, countdown=5)",
      group(add.s(1, 1), add.s(2, 2)),
      { queue: 'gq', priority: 6, countdown: 5 },
    ],
  ],
}

/** What tells of the sender and the moment. */
const SENDERS = new Set(['lang', 'origin', 'eta', 'kwargsrepr'])

function comparable({ headers, properties, body }: RecordedMessage): string {
  const { priority, delivery_info: delivery } = properties
  const told = Object.entries(headers).filter(([name]) => !SENDERS.has(name))
  return JSON.stringify([Object.fromEntries(told), { priority, delivery }, body])
}

/**
 * Celery 5.6 says some things twice that mean nothing: options for the sender alone or without a value in the body of an
 * inner chord, and in a header still to be sent, beside the body, the body with each task. Celery 5.7 does neither.
 */
function withoutRepetition(message: RecordedMessage): RecordedMessage {
  const text = JSON.stringify(message.body, (name, value: unknown) => {
    if (name === 'header') return withoutChords(value)
    return name === 'options' && 'add_to_parent' in (value as object) ? withoutNulls(value as Options) : value
  })
  return { ...message, body: JSON.parse(text) as RecordedMessage['body'] }
}

function withoutNulls({ add_to_parent: _local, ...options }: Options): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null))
}

function withoutChords(header: unknown): unknown {
  return JSON.parse(JSON.stringify(header, (name, value: unknown) => (name === 'chord' ? undefined : value)))
}

/** In Celery 5.6 a group as a body has its header's id, in 5.7 one of its own. */
function withoutGroupIds(message: RecordedMessage): RecordedMessage {
  const text = JSON.stringify(message.body, (name, value: { readonly subtask_type?: string } & Options) => {
    if (name !== 'chord' || value?.subtask_type !== 'group') return value
    return { ...value, options: { ...(value['options'] as Options), task_id: 'its own' } }
  })
  return { ...message, body: JSON.parse(text) as RecordedMessage['body'] }
}

/** Ids by the order in which they come up. */
function withNumberedIds(texts: readonly string[]): string[] {
  const numbers = new Map<string, string>()
  return texts.map((text) =>
    text.replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => {
      const number = numbers.get(id) ?? `#${numbers.size + 1}`
      numbers.set(id, number)
      return number
    }),
  )
}

describe.each(Object.entries(SCENARIOS))('%s', (scenario, rows) => {
  it.each(rows.map(([call, canvas, options = {}]) => ({ call, canvas, options })))(
    '$call: sends what Celery 5.6 sends, byte for byte',
    async ({ call, canvas, options }) => {
      const recorded = messagesOf('celery-5.6.3', scenario, call).map(withoutRepetition).map(withoutGroupIds)
      const messages = (await sentBy(canvas, options)).messages.map(withoutGroupIds)

      expect(withNumberedIds(messages.map(comparable))).toEqual(withNumberedIds(recorded.map(comparable)))
    },
  )
})

it('announces how many parts a chord has before any message of its header', async () => {
  const inner = chord([add.s(1, 1), add.s(2, 2)], xsum.s())
  const { chords, messages } = await sentBy(
    chord([inner, group(add.s(3, 3), add.s(4, 4)), add.s(5, 5)], anySum.s()),
  )

  const groups = new Set(messages.map(({ headers }) => headers['group']))
  expect(chords.map(({ size, after }) => [size, after])).toEqual([
    [2, 0],
    [4, 0],
  ])
  expect(new Set(chords.map(({ groupId }) => groupId))).toEqual(groups)
})

it('has what follows a chord in a chain follow its body, as Celery 5.7: not as a part of the body', async () => {
  const { messages } = await sentBy(chain(chord([add.s(1, 1), add.s(2, 2)], xsum.s()), add.s(3), add.s(4)))

  const bodies = messages.map(({ body }) => body[2]['chord'] as SignatureData)
  expect(bodies.map(({ task }) => task)).toEqual(['v.xsum', 'v.xsum'])
  const after = bodies.map(({ options }) => options['chain'] as SignatureData[])
  expect(after.map((steps) => steps.map(({ args }) => args))).toEqual([
    [[4], [3]],
    [[4], [3]],
  ])
})

it('gives a group that is a body an id of its own, so that to save it does not overwrite its header', async () => {
  const { result } = await sentBy(chord([add.s(1, 1), add.s(2, 2)], group(xsum.s(), xsum.s())))

  expect(result.id).not.toBe(result.parent?.id)
})

it('leaves a body whole that is more than its steps', async () => {
  const steps = chain(anySum.s(), add.s(3))
  for (const body of [steps.set({ immutable: true }), steps.clone({ args: [7] })]) {
    const { messages } = await sentBy(chain(add.s(1, 1), chord([add.s(1)], body)))
    const [sent] = messages[0]?.body[2]['chain'] as SignatureData[]
    expect(sent?.kwargs['body']).toMatchObject({
      task: 'celery.chain',
      immutable: body.immutable,
      args: body.args,
    })
  }
})
