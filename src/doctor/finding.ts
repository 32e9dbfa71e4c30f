/** `unseen`: the server does not let this be looked at, so it is neither good nor bad. */
export type Status = 'ok' | 'warning' | 'fault' | 'unseen'

/** What one look at a server has shown. */
export interface Finding {
  /** What was looked at, such as `maxmemory-policy`; stable. */
  readonly name: string
  readonly status: Status
  readonly found: string
  /** What to do, where there is something to do. */
  readonly advice?: string
}

export function ok(name: string, found: string): Finding {
  return { name, status: 'ok', found }
}

/** Work goes on, though not as it should, or not for long. */
export function warning(name: string, found: string, advice: string): Finding {
  return { name, status: 'warning', found, advice }
}

/** Work does not go on, or may be lost. */
export function fault(name: string, found: string, advice: string): Finding {
  return { name, status: 'fault', found, advice }
}

/** @param why - such as `the user may not run INFO`. */
export function unseen(name: string, why: string): Finding {
  return { name, status: 'unseen', found: `not seen: ${why}` }
}

const BY_WEIGHT: readonly Status[] = ['fault', 'warning', 'unseen', 'ok']

/** The heaviest of them. */
export function worst(statuses: readonly Status[]): Status {
  return BY_WEIGHT.find((status) => statuses.includes(status)) ?? 'ok'
}

/** `1 message`, `2 messages`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}
