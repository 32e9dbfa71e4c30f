import { InvalidArgumentError, describeValue } from '../errors.js'
import { globMatcher } from '../glob.js'
import { isPlainRecord } from '../serialization/plain-record.js'

/** Where a call is to go; what is not named is left to the task's and the application's settings. */
export interface Route {
  readonly queue?: string | undefined
  /** 0 to 9, 0 the most urgent on Redis. */
  readonly priority?: number | undefined
}

/** Decides by code. Undefined or null: no opinion, the next one is asked. A text is the name of a queue. */
export type RouteFunction = (
  name: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  options: object,
) => Route | string | undefined | null

/** A task's exact name, a glob such as `reports.*`, or a regular expression for the beginning of the name. */
export type RoutePattern = string | RegExp

/** Routes by pattern. An exact name comes before all globs; of these the first that matches counts. */
export type RouteMap =
  Readonly<Record<string, Route | string>> | readonly (readonly [RoutePattern, Route | string])[]

/**
 * Celery's `task_routes`: one router or a list of them, asked in order until one has an opinion.
 *
 *     { 'reports.*': { queue: 'reports', priority: 3 }, 'math.add': 'sums' }
 *     [[[/(image|video)\./, 'media']], (name) => (name.startsWith('tmp.') ? 'scrap' : undefined)]
 */
export type TaskRoutes = RouteMap | RouteFunction | readonly (RouteMap | RouteFunction)[]

/** Routes that were checked, as one function. */
export type Router = (...call: Parameters<RouteFunction>) => Route | undefined

/**
 * Bring routes into the one form that {@link routeTask} takes.
 *
 * @throws InvalidArgumentError naming the part that is no route.
 * @see Celery 5.6, `app/routes.py`: `prepare`, `MapRoute`
 */
export function compileRoutes(routes: TaskRoutes): readonly Router[] {
  const isList = Array.isArray(routes) && !isListOfPairs(routes)
  const routers = isList ? (routes as readonly unknown[]) : [routes]
  return routers.map((router, index) => compileRouter(router, routers.length > 1 ? `[${index}]` : ''))
}

/** Ask the routers in order; undefined when none of them has an opinion. */
export function routeTask(
  routers: readonly Router[],
  name: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  options: object,
): Route | undefined {
  for (const router of routers) {
    const route = router(name, args, kwargs, options)
    if (route !== undefined) return route
  }
  return undefined
}

function compileRouter(router: unknown, place: string): Router {
  if (typeof router === 'function') {
    const decide = router as RouteFunction
    return (name, ...call) => {
      const route = decide(name, ...call) ?? undefined
      return route === undefined ? undefined : readRoute(route, `the route of ${name}`)
    }
  }
  if (typeof router !== 'object' || router === null) {
    throw new InvalidArgumentError(
      `router${place}: expected an object of routes, pairs or a function, got ${describeValue(router)}`,
    )
  }
  const exact = new Map<string, Route>()
  const patterns: { readonly matches: (name: string) => boolean; readonly route: Route }[] = []
  for (const [pattern, value] of pairsOf(router, place)) {
    const route = readRoute(value, `${place}[${describePattern(pattern)}]`)
    if (pattern instanceof RegExp) patterns.push({ matches: fromTheStart(pattern), route })
    else if (pattern.includes('*')) patterns.push({ matches: globMatcher(pattern), route })
    else exact.set(pattern, route)
  }
  return (name) => exact.get(name) ?? patterns.find(({ matches }) => matches(name))?.route
}

function pairsOf(router: object, place: string): readonly (readonly [RoutePattern, unknown])[] {
  if (!Array.isArray(router)) return Object.entries(router)
  const list = router as readonly unknown[]
  if (isListOfPairs(list)) return list
  throw new InvalidArgumentError(`router${place}: expected pairs of a pattern and a route`)
}

/** `[['reports.*', 'reports'], ...]`, not `[{...}, (name) => ...]`. */
function isListOfPairs(list: readonly unknown[]): list is readonly (readonly [RoutePattern, unknown])[] {
  return (
    list.length > 0 &&
    list.every((pair) => {
      if (!Array.isArray(pair) || pair.length !== 2) return false
      const pattern: unknown = pair[0]
      return typeof pattern === 'string' || pattern instanceof RegExp
    })
  )
}

const ROUTE_KEYS = ['queue', 'priority']

function readRoute(value: unknown, place: string): Route {
  if (typeof value === 'string' && value !== '') return { queue: value }
  if (!isPlainRecord(value)) {
    throw new InvalidArgumentError(
      `${place}: expected a queue's name or a route, got ${describeValue(value)}`,
    )
  }
  const unknown = Object.keys(value).find((key) => !ROUTE_KEYS.includes(key))
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`${place}: expected the keys ${ROUTE_KEYS.join(', ')}, got ${unknown}`)
  }
  const { queue, priority } = value
  if (queue !== undefined && (typeof queue !== 'string' || queue === '')) {
    throw new InvalidArgumentError(`${place}.queue: expected a queue's name, got ${describeValue(queue)}`)
  }
  const isPriority = Number.isInteger(priority) && Number(priority) >= 0 && Number(priority) <= 9
  if (priority !== undefined && !isPriority) {
    throw new InvalidArgumentError(
      `${place}.priority: expected an integer from 0 to 9, got ${describeValue(priority)}`,
    )
  }
  return value
}

/** As Python's `re.match`, which has to match at the start and need not reach the end. */
function fromTheStart(pattern: RegExp): (name: string) => boolean {
  const anchored = new RegExp(`^(?:${pattern.source})`, pattern.flags.replace(/[gmy]/g, ''))
  return (name) => anchored.test(name)
}

function describePattern(pattern: RoutePattern): string {
  return typeof pattern === 'string' ? JSON.stringify(pattern) : String(pattern)
}
