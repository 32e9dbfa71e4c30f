/** Who is next: each in turn, in the order in which they came to be ready. */
export interface Turns<T> {
  /** Its turn comes after those of all that are ready; one that is among them keeps its place. */
  offer(this: void, each: T): void
  /** Takes it out; who is still ready is offered again. */
  next(this: void): T | undefined
  /** All that are ready, the next one first. */
  list(this: void): readonly T[]
  /** Of those that are ready, these come first, in this order. */
  restore(this: void, order: readonly T[]): void
}

export function createTurns<T>(): Turns<T> {
  let ready = new Set<T>()
  return {
    offer: (each) => void ready.add(each),
    next() {
      for (const each of ready) {
        ready.delete(each)
        return each
      }
      return undefined
    },
    list: () => [...ready],
    restore(order) {
      ready = new Set([...order.filter((each) => ready.has(each)), ...ready])
    },
  }
}
