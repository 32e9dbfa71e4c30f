import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { environmentVariables } from '../../../src/app/environment-variables.js'
import { settingsSchema } from '../../../src/app/settings-schema.js'

const ROOT = path.resolve(import.meta.dirname, '../../..')
const document = readFileSync(path.join(ROOT, 'docs/configuration.md'), 'utf8')

/** Defaults by name, of the table whose first column has this heading, as they are written. */
function documented(heading: string): Record<string, string> {
  const [, rows = ''] =
    new RegExp(`^\\| ${heading} .*\\n\\|[-| ]+\\n((?:\\|.*\\n)+)`, 'm').exec(document) ?? []
  return Object.fromEntries(
    rows
      .trimEnd()
      .split('\n')
      .map((row) => {
        const cells = row.split('|').map((cell) => cell.trim())
        return [cells[1]?.replaceAll('`', '') ?? '', cells.at(-2)?.replaceAll('`', '') ?? '']
      }),
  )
}

/** The same, as the schema has them. */
function actual(
  defaults: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => {
      const value = defaults[name]
      return [name, value === undefined ? '-' : JSON.stringify(value)]
    }),
  )
}

describe('docs/configuration.md', () => {
  it('has every setting with its default', () => {
    const defaults = settingsSchema.parse({})
    const { brokerTransportOptions: _broker, resultBackendTransportOptions: _results, ...plain } = defaults
    const { brokerTransportOptions, resultBackendTransportOptions, ...table } = documented('setting')
    expect([brokerTransportOptions, resultBackendTransportOptions]).toEqual(['see below', 'see below'])
    const names = Object.keys(settingsSchema.shape).filter((name) => !name.endsWith('TransportOptions'))
    expect(table).toEqual(actual(plain, names))
  })

  it('has every transport option with its default', () => {
    const { brokerTransportOptions: schema, resultBackendTransportOptions: results } = settingsSchema.shape
    expect(documented('option')).toEqual(actual(schema.parse({}), Object.keys(schema.unwrap().shape)))
    expect(Object.keys(results.unwrap().shape)).toEqual([
      'globalKeyprefix',
      'resultChordOrdered',
      'masterName',
      'sentinelKwargs',
    ])
  })

  it('has every environment variable with its default', () => {
    const names = Object.keys(environmentVariables.shape)
    expect(documented('variable')).toEqual(actual(environmentVariables.parse({}), names))
  })
})

describe('.env.example', () => {
  it('names variables that there are', () => {
    const example = readFileSync(path.join(ROOT, '.env.example'), 'utf8')
    const names = [...example.matchAll(/^# ([A-Z_]+)=/gm)].map(([, name = '']) => name)
    expect(names.length).toBeGreaterThan(10)
    expect(names.filter((name) => !(name in environmentVariables.shape))).toEqual([])
  })
})
