import { examine, type ExamineOptions } from '../../../src/doctor/examine.js'
import { resolveSettings } from '../../../src/app/settings.js'
import type { CelerySettings } from '../../../src/app/celery-settings.js'
import type { Finding } from '../../../src/doctor/finding.js'

/** What the doctor finds at one URL, by the names of its findings. */
export type Diagnosis = Readonly<Record<string, Finding | undefined>>

/** Have broker and result backend at `url` examined as a process with these settings would reach them. */
export async function diagnose(
  url: string,
  settings: CelerySettings = {},
  options: Partial<ExamineOptions> = {},
): Promise<Diagnosis> {
  const resolved = resolveSettings({ broker: url, backend: url, ...settings })
  const { examined } = await examine(resolved, { queues: ['celery'], ...options })
  return Object.fromEntries(examined.flatMap(({ findings }) => findings.map((each) => [each.name, each])))
}

/** Whatever is amiss or was not seen, `name: status`. */
export function complaints(diagnosis: Diagnosis): string[] {
  return Object.values(diagnosis).flatMap((finding) =>
    finding === undefined || finding.status === 'ok' ? [] : [`${finding.name}: ${finding.status}`],
  )
}
