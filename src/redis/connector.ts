import { Socket } from 'node:net'
import { AbstractConnector, type RedisOptions } from 'ioredis'
import { RedisConnectError } from './errors.js'
import { openStream } from './open-stream.js'
import { nameOf, type Target } from './target.js'
import type { HostAndPort } from './endpoint.js'
import type { RedisCredentials } from './credentials.js'

/** Knows where to connect to. */
export interface Locator {
  /**
   * In the order in which they are to be tried.
   *
   * @throws Where nobody knows of any at the moment.
   */
  locate(signal: AbortSignal): Promise<readonly Target[]>
  /** Whether a replica will not do. */
  readonly wantsPrimary: boolean
  /** `target` turned out to be a replica: look elsewhere first. */
  avoid(target: Target): void
  /** Which error replies say that the server is to be looked for anew. */
  readonly leavesOn: RegExp
}

type Connector = NonNullable<RedisOptions['Connector']>

/** What is known of an open connection beside what ioredis knows. */
interface Opened {
  readonly target: Target
  readonly credentials: RedisCredentials | undefined
}

const opened = new WeakMap<object, Opened>()

/** With what a connection's stream was logged in. */
export function credentialsOf(stream: object): RedisCredentials | undefined {
  return opened.get(stream)?.credentials
}

/** Which server a connection's stream leads to. */
export function targetOf(stream: object): Target | undefined {
  return opened.get(stream)?.target
}

const DISCONNECT_TIMEOUT_MS = 2000

/**
 * Opens the streams of one ioredis client: finds the server, encrypts, logs in and selects the database. ioredis
 * itself can wait neither for credentials nor for the place of the server, and gives no error a second listener.
 *
 * A failed attempt, also one that was broken off, is handed to ioredis as a stream that is destroyed already, since it
 * never tries again after a rejection.
 *
 * @param locatorFor - Gets the options of the client, which on a cluster name the node.
 * @param onFault - Told of what ioredis takes for no error.
 */
export function connectorFor(
  locatorFor: (options: HostAndPort) => Locator,
  timeoutMs: number,
  onFault: (error: Error) => void,
): Connector {
  return class extends AbstractConnector {
    readonly #locator: Locator
    #attempt = new AbortController()

    constructor(options: unknown) {
      super(DISCONNECT_TIMEOUT_MS)
      this.#locator = locatorFor(options as HostAndPort)
    }

    override async connect(): Promise<Socket> {
      const { signal } = (this.#attempt = new AbortController())
      try {
        this.stream = await openFirst(this.#locator, timeoutMs, signal)
      } catch (error) {
        this.firstError = error as Error
        this.stream = new Socket().destroy()
      }
      return this.stream
    }

    override disconnect(): void {
      this.#attempt.abort(new Error('Connection is closed.'))
      // There is none yet while the first attempt is under way.
      if ((this.stream as Socket | undefined) !== undefined) super.disconnect()
    }

    override check({ role }: { readonly role?: string }): boolean {
      if (!this.#locator.wantsPrimary || role === undefined || role === 'master') return true
      const target = targetOf(this.stream)
      if (target !== undefined) this.#locator.avoid(target)
      onFault(
        new RedisConnectError(
          'NOT_A_PRIMARY',
          `${target ? nameOf(target) : 'the server'} is a replica at the moment`,
        ),
      )
      return false
    }
  }
}

async function openFirst(locator: Locator, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const faults: Error[] = []
  for (const target of await locator.locate(signal)) {
    signal.throwIfAborted()
    try {
      const { stream, credentials } = await openStream(target, timeoutMs, signal)
      opened.set(stream, { target, credentials })
      return stream
    } catch (error) {
      faults.push(error as Error)
    }
  }
  signal.throwIfAborted()
  const [first, ...others] = faults
  if (first !== undefined && others.length === 0) throw first
  throw new AggregateError(faults, faults.map(({ message }) => message).join('; '))
}
