import { arch, platform, release } from 'node:os'
import { describeBroker } from './describe-broker.js'
import { redactUrls } from '../log.js'
import { settingsInfo } from './settings-info.js'
import { version } from '../version.js'
import type { Settings } from './settings.js'

/**
 * What who looks into a fault wants to know first, as Celery's `report` has it; no secrets.
 *
 * @param more - Further lines by their heads.
 */
export function bugReport(settings: Settings, more: Readonly<Record<string, string>> = {}): string {
  const { transport } = describeBroker(settings)
  const heads = {
    software: `lovage:${version} node:${process.versions.node}`,
    platform: `system:${platform()} arch:${arch()} kernel version:${release()}`,
    ...more,
    settings: `transport:${String(transport)} results:${redactUrls(settings.backend ?? 'disabled')}`,
  }
  return [
    '',
    ...Object.entries(heads).map(([name, text]) => `${name.padEnd(8)} -> ${text}`),
    '',
    ...Object.entries(settingsInfo(settings, { withDefaults: false })).map(
      ([name, value]) => `${name}: ${JSON.stringify(value)}`,
    ),
    '',
  ].join('\n')
}
