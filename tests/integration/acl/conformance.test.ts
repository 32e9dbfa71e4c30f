import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { resolveSettings } from '../../../src/app/settings.js'
import { createRedisBroker } from '../../../src/broker/redis-broker.js'
import { aclRules, aclUserLines } from '../../../src/doctor/acl-rules.js'
import { patternsOf } from '../../../src/doctor/places.js'
import type { Role } from '../../../src/doctor/needs.js'
import type { Use } from '../../../src/doctor/subject.js'
import { silentLog } from '../../../src/log.js'
import { createRedisBackend } from '../../../src/results/redis-backend.js'
import { serializerNamed } from '../../../src/serialization/serializers.js'
import { describeBroker } from '../broker/conformance.js'
import { describeGroupsAndChords } from '../results/chord-conformance.js'
import { describeResultBackend, type MakeBackend } from '../results/conformance.js'
import { atTestEnd } from '../../support/at-test-end.js'
import { startRedis, redisClient, type RedisServer } from '../../support/redis-server.js'
import type { DeadLetterLimits } from '../../../src/broker/broker.js'

/** Those that the suite names. */
const QUEUES = ['q', 'a', 'b', 'c', 'p', 'long', 'short', 'other']

let server: RedisServer
let users = 0

beforeAll(async () => {
  const renamed = ['CONFIG', 'KEYS', 'FLUSHDB', 'FLUSHALL'].flatMap((name) => ['--rename-command', name, ''])
  server = await startRedis({ args: renamed })
})
afterAll(() => server.stop())

afterEach(async () => {
  const admin = redisClient(server.url)
  const refusals = await admin.call('ACL', 'LOG')
  await admin.call('ACL', 'LOG', 'RESET')
  expect(refusals).toEqual([])
})

/** The URL of a fresh user who may do what these roles may, with keys of this prefix. */
async function userFor(roles: readonly Role[], use: Use, globalKeyprefix: string): Promise<string> {
  const settings = resolveSettings({
    brokerTransportOptions: { globalKeyprefix },
    resultBackendTransportOptions: { globalKeyprefix },
  })
  const name = `u${++users}`
  const rules = roles.map((role) => {
    return aclRules(role, [use], patternsOf(settings, QUEUES), { db: 0, isCluster: false })
  })
  const [keys, channels, commands] = (['keys', 'channels', 'commands'] as const).map((kind) =>
    rules.flatMap((each) => each[kind]),
  )
  const lines = aclUserLines(
    name,
    { keys: keys ?? [], channels: channels ?? [], commands: commands ?? [] },
    'secret',
  )
  const [command = '', ...words] = lines.join(' ').split(/\s+/)
  const admin = redisClient(server.url)
  await admin.call(command, ...words)
  return server.url.replace('//', `//${name}:secret@`)
}

describe('row 38: a worker’s and an operator’s user is all that a broker needs', () => {
  describeBroker(async (deadLetterLimits?: DeadLetterLimits) => {
    const globalKeyprefix = `t${users}:`
    const broker = createRedisBroker({
      connection: { url: await userFor(['worker', 'operator'], 'broker', globalKeyprefix) },
      log: silentLog,
      globalKeyprefix,
      ...(deadLetterLimits && { deadLetterLimits }),
    })
    atTestEnd(() => broker.close())
    await broker.ping(5000)
    return broker
  })
})

describe('row 38: a worker’s user is all that a result backend needs', () => {
  const makeBackend: MakeBackend = async () => {
    const backend = createRedisBackend({
      connection: { url: await userFor(['worker'], 'results', '') },
      serializer: serializerNamed('json'),
      log: silentLog,
    })
    atTestEnd(() => backend.close())
    await backend.ping(5000)
    return backend
  }
  describeResultBackend(makeBackend)
  describeGroupsAndChords(makeBackend)
})
