import { readdirSync, readFileSync } from 'node:fs'

const ROOT = new URL('../../vectors/', import.meta.url)

export const FOLDERS = ['celery-5.2.6', 'celery-5.6.3', 'celery-main'] as const

export interface VectorRecord {
  readonly kind: string
  readonly python?: string
  readonly label?: string
  readonly text?: string
  readonly raw?: string
  readonly argv?: readonly unknown[]
  readonly parsed?: Readonly<Record<string, { json?: unknown; body?: { json?: unknown } }>>
  readonly keys?: Readonly<Record<string, { type: string; value: unknown }>>
  readonly [more: string]: unknown
}

export interface Recorded {
  /** For the message of a failing test. */
  readonly where: string
  readonly text: string
  /** What the recorder made of the text, where it noted it. */
  readonly parsed: { json?: unknown; body?: { json?: unknown } } | undefined
}

export function scenarioText(folder: string, scenario: string): string {
  return readFileSync(new URL(`${folder}/${scenario}.json`, ROOT), 'utf8')
}

export function scenario(folder: string, name: string): readonly VectorRecord[] {
  return (JSON.parse(scenarioText(folder, name)) as { records: VectorRecord[] }).records
}

/** Every text in commands, dumps and subscriptions of all folders that starts in a certain way. */
export function recordedTexts(start: string): Recorded[] {
  const found: Recorded[] = []
  for (const folder of FOLDERS) {
    for (const file of readdirSync(new URL(`${folder}/`, ROOT))) {
      if (!file.endsWith('.json')) continue
      for (const [index, record] of scenario(folder, file.slice(0, -5)).entries()) {
        for (const [text, parsed] of textsOf(record)) {
          if (text.startsWith(start)) found.push({ where: `${folder}/${file} record ${index}`, text, parsed })
        }
      }
    }
  }
  return found
}

function* textsOf(record: VectorRecord): Generator<[string, Recorded['parsed']]> {
  for (const [index, argument] of (record.argv ?? []).entries()) {
    if (typeof argument === 'string') yield [argument, record.parsed?.[index]]
  }
  if (typeof record['data'] === 'string') yield [record['data'], undefined]
  for (const { value } of Object.values(record.keys ?? {})) {
    for (const item of [value].flat(2)) if (typeof item === 'string') yield [item, undefined]
  }
}

/** The messages that one scenario pushed, each with the call that made it. */
export function pushedMessages(folder: string, name: string): { call: string; text: string }[] {
  const pushed: { call: string; text: string }[] = []
  let call = ''
  for (const record of scenario(folder, name)) {
    if (record.kind === 'call') call = record.python ?? ''
    const [command, , text] = record.argv ?? []
    if (command === 'LPUSH' && typeof text === 'string') pushed.push({ call, text })
  }
  return pushed
}
