/**
 * Messages to all who listen at the moment (wire protocol, section 8): events and remote control. None is kept, and
 * none is confirmed: what is published while somebody's connection is away, they do not hear.
 */
export interface Fanout {
  /**
   * Publish to all who listen. Messages that one caller publishes are heard in their order.
   *
   * @returns how many connections it has reached, behind each of which there may be several who listen; undefined where
   *   nobody can say.
   * @throws PublishError when there is no connection, or it breaks before the server has answered.
   */
  publish(message: FanoutMessage): Promise<number | undefined>
  /** Listen from now on, through outages of the connection, until `stop`. */
  listen(options: ListenOptions): Listening
  /** Be told of outages in which those who listen hear nothing, until `stop`. */
  watch(watcher: OutageWatcher): { stop(): void }
}

export interface OutageWatcher {
  readonly onLost: () => void
  /** What is published from now on is heard again. */
  readonly onBack: () => void
}

export interface FanoutMessage {
  readonly exchange: string
  /** May be empty; whoever listens to an empty one hears such only. */
  readonly routingKey: string
  /** JSON, as text or as UTF-8. */
  readonly envelope: string | Buffer
}

export interface ListenOptions {
  readonly exchange: string
  /** Which routing keys: `#` stands for any text, `worker.#` for what begins with `worker.`. */
  readonly routingKey: string
  /** Name of the queue by which Celery knows the listener; see the exchange's bindings. */
  readonly queue: string
  /** @param envelope - As it was published, not yet looked at. */
  readonly onMessage: (envelope: string) => void
  /** Heard again after an outage, in which something may have been missed. */
  readonly onResumed?: () => void
}

export interface Listening {
  /** Settles when what is published from now on is heard; rejects where the server refuses that. */
  readonly established: Promise<void>
  stop(): Promise<void>
}

/** The pattern of Redis, where `*` stands for any text, for a binding's routing key. */
export function asGlob(routingKey: string): string {
  return routingKey.replaceAll('#', '*')
}
