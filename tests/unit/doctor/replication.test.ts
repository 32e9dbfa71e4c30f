import { expect, it } from 'vitest'
import { replication } from '../../../src/doctor/checks/replication.js'
import type { ServerView } from '../../../src/doctor/server-view.js'
import type { Subject } from '../../../src/doctor/subject.js'

it.each([
  ['state=online,offset=1000,lag=10', 'ok'],
  ['state=online,offset=1000,lag=11', 'warning'],
  ['state=wait_bgsave,offset=0,lag=0', 'warning'],
])('a replica with %s: %s', async (facts, status) => {
  const info = new Map([
    ['role', 'master'],
    ['master_repl_offset', '1000'],
    ['slave0', `ip=10.0.0.2,port=6379,${facts}`],
  ])
  const view = { info: { kind: 'seen', value: info } } as unknown as ServerView
  expect(await replication.look(view, {} as Subject)).toMatchObject({ name: 'replication', status })
})
