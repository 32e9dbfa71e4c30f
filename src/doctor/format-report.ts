import { count, type Finding, type Status } from './finding.js'
import type { Report } from './examine.js'
import type { Use } from './subject.js'

const TITLES: Readonly<Record<Use, string>> = { broker: 'broker', results: 'result backend' }

/**
 * One screen: a line for each finding, and where there is something to do, a second one that says what.
 *
 * @param paintStatus - Colours the text of a status.
 */
export function formatReport(
  { examined }: Report,
  paintStatus: (status: Status, text: string) => string = (_, text) => text,
): string {
  const lines: string[] = []
  for (const { uses, url, findings } of examined) {
    const width = Math.max(...findings.map(({ name }) => name.length))
    lines.push(`${uses.map((use) => TITLES[use]).join(' and ')}: ${url}`)
    for (const finding of findings) lines.push(...formatFinding(finding, width, paintStatus))
    lines.push('')
  }
  const all = examined.flatMap(({ findings }) => findings)
  return [...lines, summarize(all), ''].join('\n')
}

function formatFinding(
  { status, name, found, advice }: Finding,
  width: number,
  paintStatus: (status: Status, text: string) => string,
): string[] {
  const indent = ' '.repeat(2 + STATUS_WIDTH + 2)
  const line = `  ${paintStatus(status, status.padEnd(STATUS_WIDTH))}  ${name.padEnd(width)}  ${found}`
  return advice === undefined ? [line] : [line, `${indent}${' '.repeat(width)}  -> ${advice}`]
}

const STATUS_WIDTH = 'warning'.length

/** `1 fault, 2 warnings, 14 ok, 3 not seen`. */
function summarize(findings: readonly Finding[]): string {
  const of = (status: Status): number => findings.filter((finding) => finding.status === status).length
  return [
    count(of('fault'), 'fault'),
    count(of('warning'), 'warning'),
    `${of('ok')} ok`,
    ...(of('unseen') > 0 ? [`${of('unseen')} not seen`] : []),
  ].join(', ')
}
