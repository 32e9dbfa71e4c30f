import { once } from 'node:events'
import { connect as connectTcp, Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'
import { RedisConnectError } from './errors.js'
import { explainTlsError, forHost } from './tls.js'
import type { HostAndPort } from './url.js'
import type { RedisCredentials } from './credentials.js'

/** One server, and what it takes to get in. */
export interface Target {
  readonly address: HostAndPort | { readonly path: string }
  /** Undefined: not encrypted. */
  readonly tls: ConnectionOptions | undefined
  /** Asked anew for each connection; undefined where nobody has to log in. */
  readonly credentials: () => Promise<RedisCredentials> | undefined
  readonly db: number
}

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

export function nameOf({ address }: Pick<Target, 'address'>): string {
  if ('path' in address) return address.path
  const { host, port } = address
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

async function openFirst(locator: Locator, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const faults: Error[] = []
  for (const target of await locator.locate(signal)) {
    signal.throwIfAborted()
    try {
      return await openStream(target, timeoutMs, signal)
    } catch (error) {
      faults.push(error as Error)
    }
  }
  signal.throwIfAborted()
  const [first, ...others] = faults
  if (first !== undefined && others.length === 0) throw first
  throw new AggregateError(faults, faults.map(({ message }) => message).join('; '))
}

async function openStream(target: Target, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const name = nameOf(target)
  const giveUp = new AbortController()
  const onAbort = (): void => giveUp.abort(signal.reason)
  signal.addEventListener('abort', onAbort)
  let isOpen = false
  const timer = setTimeout(() => {
    const hint = target.tls === undefined || isOpen ? '' : '; it may not speak TLS'
    giveUp.abort(
      new RedisConnectError('CONNECT_TIMEOUT', `${name} did not answer within ${timeoutMs} ms${hint}`),
    )
  }, timeoutMs)
  const givenUp = new Promise<never>((_resolve, reject) => {
    giveUp.signal.addEventListener('abort', () => reject(giveUp.signal.reason as Error))
  })
  let stream: Socket | undefined
  try {
    const credentials = await Promise.race([givenUp, Promise.resolve(target.credentials())])
    stream = startStream(target)
    const broken = breakOf(stream, name)
    const opening = once(stream, target.tls === undefined ? 'connect' : 'secureConnect')
    opening.catch(() => undefined)
    await Promise.race([givenUp, broken, opening])
    isOpen = true
    if (target.tls !== undefined && target.tls.cert === undefined) {
      await Promise.race([givenUp, broken.catch(explainRefusal(name)), request(stream, ['PING'])])
    }
    await Promise.race([givenUp, broken, logIn(stream, target, credentials)])
    opened.set(stream, { target, credentials })
    return stream
  } catch (error) {
    stream?.destroy()
    throw explainTlsError(error as Error, name)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    givenUp.catch(() => undefined)
  }
}

/**
 * A server that wants a certificate of the client closes after the handshake (TLS 1.3), before it has answered
 * anything, and the reason that it gives may be lost with the connection.
 */
function explainRefusal(name: string): (error: Error) => never {
  return (error) => {
    const explained = explainTlsError(error, name)
    if (explained !== error) throw explained
    throw new RedisConnectError(
      'TLS_CLIENT_CERTIFICATE',
      `${name} broke off after the handshake (${error.message}); it may want a certificate of the client: set ` +
        'ssl_certfile and ssl_keyfile',
      { cause: error },
    )
  }
}

function startStream({ address, tls }: Target): Socket {
  const stream =
    tls === undefined
      ? connectTcp(address)
      : connectTls({ ...address, ...('path' in address ? tls : forHost(tls, address.host)) })
  // A TLS socket may go on after an error, and have another. ioredis listens for the first only, and one that nobody
  // listens for would end the process.
  stream.on('error', () => stream.destroy())
  return stream
}

/** Rejects when the stream breaks. */
function breakOf(stream: Socket, name: string): Promise<never> {
  const broken = new Promise<never>((_resolve, reject) => {
    stream.once('error', (error) => {
      // Of a name with several addresses, each of which failed.
      const [first] = error instanceof AggregateError ? (error.errors as Error[]) : []
      reject(first ?? error)
    })
    stream.once('close', () => reject(new Error(`${name} closed the connection`)))
  })
  broken.catch(() => undefined)
  return broken
}

async function logIn(
  stream: Socket,
  { db }: Target,
  credentials: RedisCredentials | undefined,
): Promise<void> {
  if (credentials !== undefined) {
    const { username, password } = credentials
    const fault = await request(stream, ['AUTH', ...(username === undefined ? [] : [username]), password])
    // As redis-py and ioredis have it, a password that the server does not ask for does no harm.
    if (fault !== undefined && !/no password is set|without any password configured/.test(fault)) {
      throw new RedisConnectError('LOGIN_REFUSED', fault)
    }
  }
  if (db !== 0) {
    const fault = await request(stream, ['SELECT', String(db)])
    if (fault !== undefined) throw new RedisConnectError('DATABASE_REFUSED', `database ${db}: ${fault}`)
  }
}

const LINE_END = '\r\n'

/** Send a command whose reply is one line; the error that it is, or undefined. */
function request(stream: Socket, words: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    let line = ''
    const onData = (bytes: Buffer): void => {
      line += bytes.toString('latin1')
      const end = line.indexOf(LINE_END)
      if (end === -1) return
      stream.off('data', onData)
      // What comes next is for whoever listens next.
      stream.pause()
      resolve(line.startsWith('-') ? line.slice(1, end) : undefined)
    }
    stream.on('data', onData)
    stream.resume()
    const parts = words.map((word) => `$${Buffer.byteLength(word)}${LINE_END}${word}${LINE_END}`)
    stream.write(`*${words.length}${LINE_END}${parts.join('')}`)
  })
}
