import { isReady } from '../serialization/states.js'
import type { ResultMeta } from '../serialization/result-meta.js'

/** A state as it is stored and announced. */
export interface StoredState {
  readonly text: Buffer
  readonly meta: ResultMeta
}

/** Hands the states of one task to one listener in the order in which they were stored. */
export interface Watcher {
  readonly taskId: string
  /** A state that was stored after the subscription, in the order of its storing. */
  announced(state: StoredState): void
  /** Begin to look up what is stored; what is announced from now on is kept until the look ends. */
  look(): Look
}

/** Invariant: what is found is no older than what was announced before the look began. */
export interface Look {
  readonly taskId: string
  /**
   * What is stored; undefined: nothing. Ends the look where no order has to be found out.
   *
   * @returns whether it has ended.
   */
  found(state: StoredState | undefined): boolean
  /** All that was announced before the look was answered has come. */
  end(): void
  /** It failed, or will be repeated. */
  giveUp(): void
}

export function createWatcher(taskId: string, listener: (meta: ResultMeta) => void): Watcher {
  /** From the first look's beginning, before which nobody may be told of a state. */
  let held: StoredState[] | undefined = []
  let current: Look | undefined
  let isFirstLook = true

  const handOver = (states: readonly StoredState[]): void => {
    held = undefined
    current = undefined
    isFirstLook = false
    for (const { meta } of states) listener(meta)
  }

  return {
    taskId,
    announced(state) {
      if (held === undefined) listener(state.meta)
      // Nothing that a look may find comes after it.
      else if (isReady(state.meta.status)) handOver([...held, state])
      else held.push(state)
    },
    look() {
      // What came before this look stands before what it finds.
      if (held !== undefined && held.length > 0) handOver(held)
      held = []
      const isFirst = isFirstLook
      let stored: StoredState | undefined
      const look: Look = {
        taskId,
        found(state) {
          if (current !== look) return true
          if (state === undefined) handOver(held ?? [])
          else if (isReady(state.meta.status)) handOver(isFirst ? [state] : [...(held ?? []), state])
          else {
            stored = state
            return false
          }
          return true
        },
        end() {
          if (current !== look || held === undefined || stored === undefined) return
          const { text } = stored
          const at = held.findLastIndex((state) => state.text.equals(text))
          // Stored before the subscription, it is older than all that was announced.
          if (at === -1) handOver([stored, ...held])
          // Who was told of nothing yet begins with what was found; whoever follows for longer misses nothing.
          else handOver(isFirst ? held.slice(at) : held)
        },
        giveUp() {
          if (current === look) handOver(held ?? [])
        },
      }
      current = look
      return look
    },
  }
}
