import { readFileSync } from 'node:fs'

export const celeryVersions = ['celery-5.2.6', 'celery-5.6.3'] as const

/** The records of a scenario without Redis traffic, as that Celery gave them. */
export function pureRecords<Record>(version: (typeof celeryVersions)[number], scenario: string): Record[] {
  const url = new URL(`../../vectors/${version}/${scenario}.json`, import.meta.url)
  return (JSON.parse(readFileSync(url, 'utf8')) as { records: Record[] }).records
}
