import { celeryNameOf } from '../app/settings-info.js'
import { didYouMean } from '../did-you-mean.js'
import { settingsSchema } from '../app/settings-schema.js'
import { UsageError } from './errors.js'
import type { CelerySettings } from '../app/celery-settings.js'

const SETTINGS: ReadonlyMap<string, string> = new Map(
  Object.keys(settingsSchema.shape).map((name) => [celeryNameOf(name), name]),
)
const PYTHON_WORDS: Readonly<Record<string, unknown>> = { True: true, False: false, None: null }

/**
 * Settings as Celery takes them behind `--`: `worker.prefetch_multiplier=1`, `.prefetch_multiplier=1` or
 * `worker_prefetch_multiplier=1`.
 *
 * @param namespace - that a leading dot stands for.
 * @throws UsageError for what names no setting. Values are checked with all others.
 */
export function readSettingArguments(words: readonly string[], namespace: 'worker' | 'beat'): CelerySettings {
  return Object.fromEntries(
    words.map((word) => {
      const [key = '', value] = word.split(/=(.*)/s)
      if (key === '' || value === undefined)
        throw new UsageError(`expected setting=value behind --, got ${JSON.stringify(word)}`)
      const name = key.replace(/^\./, `${namespace}.`).replaceAll('.', '_').toLowerCase()
      const setting = SETTINGS.get(name)
      if (setting !== undefined) return [setting, readValue(value)]
      const meant = didYouMean(name, [...SETTINGS.keys()])
      throw new UsageError(
        `there is no setting ${JSON.stringify(name)}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      )
    }),
  )
}

/** JSON where it can be, and Python's words for it; else a text. */
function readValue(text: string): unknown {
  if (Object.hasOwn(PYTHON_WORDS, text)) return PYTHON_WORDS[text]
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
