/**
 * A Lamport clock: orders what several processes say (wire protocol, section 14.2). An app has one, which events and
 * remote control share.
 */
export interface LogicalClock {
  readonly value: number
  /** Count something of one's own. @returns the new value, to be sent along. */
  forward(): number
  /** Count what came from another. @returns the new value, which is larger than both. */
  adjust(received: number): number
}

export function createLogicalClock(): LogicalClock {
  let value = 0
  return {
    get value() {
      return value
    },
    forward: () => ++value,
    adjust: (received) => (value = Math.max(value, received) + 1),
  }
}
