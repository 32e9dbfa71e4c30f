import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { resolveSettings } from '../../../src/app/settings.js'
import type { CelerySettings } from '../../../src/app/celery-settings.js'
import { aclRules, type AclRules } from '../../../src/doctor/acl-rules.js'
import { needsOf, type Role } from '../../../src/doctor/needs.js'
import type { Deployment } from '../../../src/doctor/needs/need.js'
import { patternsOf, placesOf } from '../../../src/doctor/places.js'

const USES = ['broker', 'results'] as const
const PLAIN = { db: 0, isCluster: false }

function rulesFor(role: Role, settings: CelerySettings = {}, queues = ['celery']): AclRules {
  return aclRules(role, USES, patternsOf(resolveSettings(settings), queues), PLAIN)
}

/** Commands that the scripts of a folder call. */
function commandsOfScripts(folder: string): string[] {
  const root = path.resolve(import.meta.dirname, '../../..')
  const files = readdirSync(path.join(root, 'src', folder, 'lua'))
  const texts = files.map((file) => readFileSync(path.join(root, 'src', folder, 'lua', file), 'utf8'))
  const called = texts.flatMap((text) =>
    [...text.matchAll(/redis\.p?call\(\s*'(\w+)'/g)].map(([, name]) => name ?? ''),
  )
  return [...new Set(called)]
}

describe('what a role needs', () => {
  it.each([
    ['worker', 'broker'],
    ['worker', 'coordination'],
    ['worker', 'results'],
    ['beat', 'beat'],
  ] as const)('a %s may call all that the scripts of src/%s call', (role, folder) => {
    const commands = commandsOfScripts(folder)
    expect(commands.length).toBeGreaterThan(2)
    expect(rulesFor(role).commands).toEqual(
      expect.arrayContaining(commands.map((command) => `+${command.toLowerCase()}`)),
    )
  })

  it.each(['producer', 'worker', 'beat', 'api'] as const)('is nothing dangerous for a %s', (role) => {
    const dangerous = ['config', 'keys', 'flushdb', 'flushall', 'debug', 'scan', 'monitor', 'acl', 'save']
    const { commands } = rulesFor(role)
    expect(commands.filter((command) => dangerous.includes(command.slice(1)))).toEqual([])
    expect(commands.join(' ')).not.toContain('@')
  })

  it('is SELECT only in another database than 0, and CLUSTER on a cluster only', () => {
    const at = placesOf(resolveSettings({}), ['celery'])
    const more = (deployment: Deployment): string[] =>
      needsOf('producer', USES, at, deployment)
        .map(({ command }) => command)
        .filter((command) => /SELECT|CLUSTER/.test(command))
    expect(more(PLAIN)).toEqual([])
    expect(more({ db: 3, isCluster: false })).toEqual(['SELECT'])
    expect(more({ db: 0, isCluster: true })).toEqual(['CLUSTER SLOTS', 'CLUSTER KEYSLOT', 'CLUSTER INFO'])
  })

  it('is split where results are kept elsewhere', () => {
    const at = patternsOf(resolveSettings({}), ['celery'])
    expect(aclRules('producer', ['broker'], at, PLAIN)).toMatchObject({
      keys: [
        '~_kombu.binding.celery',
        '~celery',
        '~celery??3',
        '~celery??6',
        '~celery??9',
        '~lovage.revoked',
        '~lovage.unique.*',
      ],
      channels: ['&/0.celeryev/*'],
    })
    expect(aclRules('producer', ['results'], at, PLAIN).keys).toEqual([
      '~celery-task-meta-*',
      '~celery-taskset-meta-*',
    ])
  })
})

describe('patterns of keys', () => {
  it('follow prefix, queues and separator', () => {
    const settings = {
      brokerTransportOptions: { globalKeyprefix: '{a[b}:', prioritySteps: [0, 5], sep: ':' },
      resultBackendTransportOptions: { globalKeyprefix: 'r' },
    } as const
    expect(rulesFor('producer', settings, ['möhre', 'w*'])).toMatchObject({
      keys: [
        '~r_celery-task-meta-*',
        '~r_celery-taskset-meta-*',
        '~{a\\[b}:_kombu.binding.m??hre',
        '~{a\\[b}:_kombu.binding.w\\*',
        '~{a\\[b}:lovage.revoked',
        '~{a\\[b}:lovage.unique.*',
        '~{a\\[b}:m??hre',
        '~{a\\[b}:m??hre:5',
        '~{a\\[b}:w\\*',
        '~{a\\[b}:w\\*:5',
      ],
      channels: ['&r_celery-task-meta-*', '&r_celery-taskset-meta-*', '&{a\\[b}:/0.celeryev/*'],
    })
  })
})
