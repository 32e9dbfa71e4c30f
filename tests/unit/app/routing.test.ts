import { describe, expect, it } from 'vitest'
import { compileRoutes, routeTask, type Route, type TaskRoutes } from '../../../src/app/routing.js'

function routed(routes: TaskRoutes, name: string, args: unknown[] = []): Route | undefined {
  return routeTask(compileRoutes(routes), name, args, {}, {})
}

describe('routeTask', () => {
  it.each<[what: string, routes: TaskRoutes, name: string, route: Route | undefined]>([
    ['nothing without routes', {}, 'a.b', undefined],
    ['by the exact name', { 'a.b': { queue: 'q', priority: 3 } }, 'a.b', { queue: 'q', priority: 3 }],
    ['not by the beginning of a name', { 'a.b': 'q' }, 'a.bc', undefined],
    ["by a queue's name alone", { 'a.b': 'q' }, 'a.b', { queue: 'q' }],
    ['by a glob', { 'a.*': 'q' }, 'a.b.c', { queue: 'q' }],
    ['by a glob, dots being dots', { 'a.*': 'q' }, 'abc', undefined],
    ['by a glob for the whole name', { '*.b': 'q' }, 'a.b.c', undefined],
    ['by a glob with ?', { 'a.?*': 'q' }, 'a.', undefined],
    ['by a glob with a set', { 'a.[xy]*': 'q' }, 'a.yz', { queue: 'q' }],
    ['by a glob with an excluded set', { 'a.[!xy]*': 'q' }, 'a.yz', undefined],
    ['by a question mark only where there is a star, as Celery', { 'a.?': 'q' }, 'a.b', undefined],
    ['exact names first', { 'a.*': 'glob', 'a.b': 'exact' }, 'a.b', { queue: 'exact' }],
    ['by the first glob that matches', { 'a.*': 'one', 'a.b*': 'two' }, 'a.b', { queue: 'one' }],
    [
      'by a regular expression',
      [[/(image|video)\.tasks\..*/, 'media']],
      'video.tasks.cut',
      { queue: 'media' },
    ],
    ['by a regular expression from the start', [[/tasks/, 'q']], 'video.tasks', undefined],
    ['by a regular expression that need not reach the end', [[/vi/, 'q']], 'video', { queue: 'q' }],
    ['by each alternative from the start', [[/x|tasks/, 'q']], 'video.tasks', undefined],
    [
      'by the pairs in order',
      [
        ['a.*', 'one'],
        ['*', 'two'],
      ],
      'b',
      { queue: 'two' },
    ],
    ['by routers in order', [{ 'a.*': 'one' }, { '*': 'two' }], 'a.b', { queue: 'one' }],
    [
      'by a list of pairs within a list, as Celery',
      [[['a.*', 'one']], { '*': 'two' }],
      'a.b',
      { queue: 'one' },
    ],
    ['by a function', (name) => (name === 'a' ? { queue: 'f' } : null), 'a', { queue: 'f' }],
    [
      'by what comes after a function without an opinion',
      [() => undefined, { '*': 'q' }],
      'a',
      { queue: 'q' },
    ],
    ['by a function that names a queue', [() => 'f', { a: 'q' }], 'a', { queue: 'f' }],
  ])('routes %s', (_what, routes, name, route) => {
    expect(routed(routes, name)).toEqual(route)
  })

  it('gives a function the whole call', () => {
    const calls: unknown[] = []
    const routers = compileRoutes((...call) => void calls.push(call))
    routeTask(routers, 'a', [1], { b: 2 }, { countdown: 3 })
    expect(calls).toEqual([['a', [1], { b: 2 }, { countdown: 3 }]])
  })

  it('asks a regular expression with the flag g every time anew', () => {
    const routers = compileRoutes([[/a/g, 'q']])
    const ask = (): Route | undefined => routeTask(routers, 'a', [], {}, {})
    expect([ask(), ask(), ask()]).toEqual([{ queue: 'q' }, { queue: 'q' }, { queue: 'q' }])
  })

  it('refuses what a function returns and is no route', () => {
    expect(() => routed((() => 5) as never, 'a.b')).toThrow(/the route of a\.b: expected .* got number 5/)
    const late = (() => Promise.resolve('q')) as never
    expect(() => routed(late, 'a.b')).toThrow(/the route of a\.b: expected .* got object \(Promise\)/)
  })
})

describe('compileRoutes', () => {
  it.each<[routes: unknown, message: RegExp]>([
    ['q', /router: expected .*, got string "q"/],
    [[{ a: 'q' }, 5], /router\[1\]: expected .*, got number 5/],
    [{ a: 5 }, /\["a"\]: expected a queue's name or a route, got number 5/],
    [{ a: '' }, /\["a"\]: expected a queue's name or a route, got string ""/],
    [{ a: { queue: '' } }, /\["a"\]\.queue: expected/],
    [{ a: { priority: 10 } }, /\["a"\]\.priority: expected an integer from 0 to 9, got number 10/],
    [{ a: { routing_key: 'q' } }, /\["a"\]: expected the keys queue, priority, got routing_key/],
  ])('refuses %j', (routes, message) => {
    expect(() => compileRoutes(routes as TaskRoutes)).toThrow(message)
  })
})
