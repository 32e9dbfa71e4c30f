import { describe, expect, it } from 'vitest'
import { createState, type State } from '../../../src/events/state.js'
import type { CeleryEvent } from '../../../src/events/event.js'

let clock = 0

function event(type: string, fields: Partial<CeleryEvent> = {}): CeleryEvent {
  clock++
  return { type, hostname: 'w@h', clock, timestamp: 1000 + clock, local_received: 1000, ...fields }
}

function told(state: State, ...events: CeleryEvent[]): State {
  for (const each of events) state.event(each)
  return state
}

const task = (subject: string, fields: Partial<CeleryEvent> = {}): CeleryEvent =>
  event(`task-${subject}`, { uuid: 't', ...fields })

const RECEIVED = { name: 'add', args: '(1,)', kwargs: '{}', retries: 0, eta: null, root_id: 't' }

describe('the state of a cluster', () => {
  it('follows a task from its producer to its end', () => {
    const state = createState()
    const states: unknown[] = []
    for (const each of [
      task('sent', { hostname: 'gen1@h', queue: 'q', name: 'add' }),
      task('received', RECEIVED),
      task('started'),
      task('succeeded', { result: '2', runtime: 0.5 }),
    ]) {
      state.event(each)
      states.push(state.tasks.get('t')?.state)
    }
    expect(states).toEqual(['PENDING', 'RECEIVED', 'STARTED', 'SUCCESS'])
    expect(state.tasks.get('t')).toMatchObject({
      ...{ name: 'add', args: '(1,)', queue: 'q', result: '2', runtime: 0.5, eta: null, rootId: 't' },
      ...{ client: 'gen1@h', worker: 'w@h' },
    })
    expect(state).toMatchObject({ eventCount: 4, taskCount: 1 })
    expect(state.taskTypes()).toEqual(['add'])
  })

  it('lets what comes late fill in what it knows, and nothing more', () => {
    const state = told(createState(), task('started'), task('succeeded'), task('received', RECEIVED))
    expect(state.tasks.get('t')).toMatchObject({ state: 'SUCCESS', name: 'add', args: '(1,)' })
    expect(state.tasks.get('t')?.received).toBeDefined()
  })

  it('lets a task that is retried begin anew', () => {
    const state = told(
      createState(),
      task('started'),
      task('retried', { exception: 'E()' }),
      task('received'),
    )
    expect(state.tasks.get('t')).toMatchObject({ state: 'RECEIVED', exception: 'E()' })
  })

  it('knows an application’s own states, and no property of objects as one', () => {
    const state = told(createState(), task('started'), task('progress'))
    expect(state.tasks.get('t')?.state).toBe('PROGRESS')
    told(state, task('constructor'))
    expect(state.tasks.get('t')?.state).toBe('CONSTRUCTOR')
  })

  it('takes a worker for dead after two heartbeats, and when it says goodbye', () => {
    let now = 1000
    const state = createState({}, () => now)
    told(state, event('worker-online', { freq: 2, active: 1, sw_ident: 'py-celery' }))
    const alive = (): string[] => state.aliveWorkers().map(({ hostname }) => hostname)
    expect(alive()).toEqual(['w@h'])
    now = 1003.9
    expect(alive()).toEqual(['w@h'])
    now = 1004
    expect(alive()).toEqual([])
    told(state, event('worker-heartbeat', { freq: 2, local_received: 1004, processed: 7 }))
    expect(alive()).toEqual(['w@h'])
    expect(state.workers.get('w@h')).toMatchObject({ active: 1, processed: 7, swIdent: 'py-celery' })
    told(state, event('worker-offline', { local_received: 1004 }))
    expect(alive()).toEqual([])
    expect(state.workers.get('w@h')?.heartbeats).toEqual([])
    told(state, event('worker-offline', { hostname: 'never@h' }))
    expect([...state.workers.keys()]).toEqual(['w@h'])
  })

  it('remembers so many workers, heartbeats and tasks at most, and forgets those without news first', () => {
    const state = createState({ maxWorkers: 3, maxTasks: 3 })
    for (const uuid of ['a', 'b', 'c', 'a', 'd'])
      told(state, task('started', { uuid, hostname: `${uuid}@h` }))
    expect([...state.tasks.keys()]).toEqual(['c', 'a', 'd'])
    expect([...state.workers.keys()]).toEqual(['c@h', 'a@h', 'd@h'])
    for (let i = 0; i < 10; i++)
      told(state, event('worker-heartbeat', { hostname: 'd@h', local_received: i }))
    expect(state.workers.get('d@h')?.heartbeats).toHaveLength(4)
    expect(state.tasksByTime(2).map(({ uuid }) => uuid)).toEqual(['d', 'a'])
    expect(state.tasksByWorker('a@h').map(({ uuid }) => uuid)).toEqual(['a'])
  })
})
