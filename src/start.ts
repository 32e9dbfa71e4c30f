#!/usr/bin/env node
// What `npm start` runs: everything a developer needs, until Ctrl-C.
import { findRedisServer } from './start/find-redis-server.js'
import { ListenError } from './api/start-api.js'
import { loadDotEnv } from './app/environment.js'
import { redactUrls } from './log.js'
import { serviceFromEnvironment, type Service } from './service.js'
import { startInOneProcess } from './start/in-one-process.js'
import { startPrivateRedis } from './start/start-private-redis.js'
import { startProcessGroup } from './start/process-group.js'
import { REPEAT_MS, stopRequested } from './stop-requested.js'

const BROKER_VARIABLES = ['CELERY_BROKER_URL', 'REDIS_URL', 'REDIS_HOST', 'REDIS_ENDPOINT']
const HOW_TO_GET_REDIS =
  'for the real thing install Redis (apt install redis-server, brew install redis) or set CELERY_BROKER_URL'

const { env } = process
loadDotEnv()
if (process.stdout.isTTY) env.LOG_FORMAT ||= 'pretty'
const stopping = stopRequested({ info: (_fields, message) => say(message) }, { repeatMs: REPEAT_MS })
process.exitCode = await start()

/** @returns the exit code, when everything has ended. */
async function start(): Promise<number> {
  if (BROKER_VARIABLES.some((name) => env[name])) return run()
  const program = await findRedisServer(env.PATH ?? '')
  if (program === undefined) {
    say(
      `no Redis: everything runs in this one process and in memory, and is lost with it; ${HOW_TO_GET_REDIS}`,
    )
    env.CELERY_BROKER_URL = 'memory://'
    env.CELERY_RESULT_BACKEND ||= 'memory://'
    return run()
  }
  const redis = await startPrivateRedis(program, print)
  if (redis === undefined) {
    say(`${program} did not start; see above`)
    return 1
  }
  process.once('exit', () => redis.process.signal('SIGTERM'))
  env.REDIS_URL = redis.url
  const redisEnd = redis.process.ended.then((how) => ({ name: 'redis', how }))
  const exitCode = await run(redisEnd)
  await redis.stop()
  return exitCode
}

/** Run the service as the environment says, until a signal or until a part of it ends. */
async function run(redisEnd?: Promise<PartEnd>): Promise<number> {
  const service = await serviceFromEnvironment('start')
  return service.app.settings.broker.startsWith('memory:')
    ? runInOneProcess(service)
    : runProcesses(service, redisEnd)
}

interface PartEnd {
  readonly name: string
  readonly how: string
}

async function runProcesses(service: Service, redisEnd?: Promise<PartEnd>): Promise<number> {
  const group = startProcessGroup(env, print)
  // A second signal ends this process at once, and with it the others.
  process.once('exit', () => group.kill())
  void group.server.nextMessage().then((message) => introduce(service, (message as { url: string }).url))
  const end = await Promise.race([stopping, group.firstEnd, ...(redisEnd === undefined ? [] : [redisEnd])])
  if (typeof end !== 'string') say(`${end.name} has ended (${end.how}); stopping the others`)
  await group.stop()
  return typeof end === 'string' ? 0 : 1
}

async function runInOneProcess(service: Service): Promise<number> {
  try {
    const running = await startInOneProcess(service)
    introduce(service, running.url)
    await stopping
    await running.stop()
    return 0
  } catch (error) {
    if (!(error instanceof ListenError)) throw error
    say(error.message)
    return 1
  }
}

/** What a developer wants to know first. */
function introduce({ app, environment }: Service, url: string): void {
  const token = environment.api.tokens.length > 0 ? "-H 'authorization: Bearer TOKEN' " : ''
  say(`API     ${url} (documentation: ${url}/api/docs)`)
  say(`broker  ${redactUrls(app.settings.broker)}`)
  say(`try     curl ${token}--json '{"args": [2, 3]}' ${url}/api/tasks/demo.add`)
  say('Ctrl-C stops everything')
}

function say(line: string): void {
  print('start', line)
}

function print(name: string, line: string): void {
  process.stdout.write(`${name.padEnd(6)} | ${line}\n`)
}
