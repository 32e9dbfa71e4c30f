import { randomUUID } from 'node:crypto'

/**
 * A delivery tag that tells when its message was sent. It has the form of a UUID4, as the protocol demands (section 2): the
 * first twelve digits are the time, six around the variant are the same in all such tags, the rest is random.
 * docs/decisions/0012-when-a-message-was-sent.md has the reasons.
 */
const TIMED = /^([\da-f]{8})-([\da-f]{4})-410a-[89ab]a9e-[\da-f]{12}$/

/** @param sentAt - Milliseconds since the Unix epoch, by the broker's clock. */
export type TimedTag = (sentAt: number) => string

/** Makes such tags; those of one millisecond share what takes the longest. */
export function createTimedTag(): TimedTag {
  let madeFor: number | undefined
  let start = ''
  return (sentAt) => {
    const ms = Math.max(0, Math.floor(sentAt))
    if (ms !== madeFor) {
      madeFor = ms
      const time = ms.toString(16).padStart(12, '0')
      start = `${time.slice(0, 8)}-${time.slice(8)}-410a-`
    }
    const random = randomUUID()
    return `${start}${random[19]}a9e-${random.slice(24)}`
  }
}

/** Undefined where the tag does not tell, as those of other clients. A tag of theirs looks like ours once in 16 million. */
export function sentAtOf(tag: string): number | undefined {
  const [, high, low] = TIMED.exec(tag) ?? []
  return high === undefined || low === undefined ? undefined : Number.parseInt(high + low, 16)
}
