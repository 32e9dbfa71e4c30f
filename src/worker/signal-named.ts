import { constants } from 'node:os'

/** By its name in any case, with or without `SIG`, or its number; undefined where there is none. */
export function signalNamed(given: unknown): NodeJS.Signals | undefined {
  const text = typeof given === 'string' ? given.toUpperCase() : ''
  const name = text.startsWith('SIG') ? text : `SIG${text}`
  for (const [known, number] of Object.entries(constants.signals)) {
    if (known === name || number === given) return known as NodeJS.Signals
  }
  return undefined
}
