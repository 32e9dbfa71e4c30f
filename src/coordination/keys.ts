import { createHash } from 'node:crypto'

/** Where coordination keeps what, with the broker's `globalKeyprefix` in front. */
export interface CoordinationKeys {
  /** Id of the task that has the key. */
  unique(key: string): string
  /** When the next turn is. */
  rate(key: string): string
  /** Holders of slots by the end of their time. */
  slots(key: string): string
}

/** Longer ones are told by their hash: keys are made of arguments, which may be of any length. */
const LONGEST = 200

export function coordinationKeys(prefix: string): CoordinationKeys {
  return {
    unique: (key) => `${prefix}lovage.unique.${shortened(key)}`,
    rate: (key) => `${prefix}lovage.rate.${shortened(key)}`,
    slots: (key) => `${prefix}lovage.slots.${shortened(key)}`,
  }
}

function shortened(key: string): string {
  return key.length <= LONGEST ? key : createHash('sha256').update(key).digest('hex')
}
