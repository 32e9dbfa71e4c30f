import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { RedisConnectError } from './errors.js'
import { explainNoAnswer, explainNoStream } from './explain-break.js'
import { nameOf, type Target } from './target.js'
import { explainTlsError, forHost } from './tls.js'
import type { RedisCredentials } from './credentials.js'

/** A stream on which the server has answered, encrypted, logged in and in its database. */
export interface OpenStream {
  readonly stream: Socket
  readonly credentials: RedisCredentials | undefined
}

/** How long an attempt goes without an answer until another begins beside it. */
const IMPATIENCE = { shortestMs: 400, longestMs: 700 }
const LATE_MS = 50

/**
 * Open a connection to a server.
 *
 * What is sent to a host that cannot be reached at the moment is sent again late, or never; who waits for it loses the
 * moment from which on the host can be reached. So while one attempt is patient, others begin beside it, one after the
 * other, and the first that is answered is taken: within a second after the server is back, and as late as the time
 * limit where it is slow.
 *
 * @throws RedisConnectError, or the error of the socket.
 */
export async function openStream(
  target: Target,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<OpenStream> {
  const name = nameOf(target)
  const giveUp = new AbortController()
  const onAbort = (): void => giveUp.abort(signal.reason)
  signal.addEventListener('abort', onAbort)
  const progress: Progress = { isOpen: false }
  const timer = setTimeout(() => {
    const hint = target.tls === undefined || progress.isOpen ? '' : '; it may not speak TLS'
    giveUp.abort(
      new RedisConnectError('CONNECT_TIMEOUT', `${name} did not answer within ${timeoutMs} ms${hint}`),
    )
  }, timeoutMs)
  try {
    const credentials = await Promise.race([abortOf(giveUp.signal), Promise.resolve(target.credentials())])
    const attempt = (until: AbortSignal): Promise<Socket> => openOnce(target, credentials, progress, until)
    return { stream: await patientlyAndImpatiently(attempt, giveUp.signal), credentials }
  } catch (error) {
    throw explainTlsError(error as Error, name)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Settles as the first, patient attempt does, or when another that began later succeeds before that. */
async function patientlyAndImpatiently(
  attempt: (signal: AbortSignal) => Promise<Socket>,
  signal: AbortSignal,
): Promise<Socket> {
  const settled = new AbortController()
  let impatient = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const tryBeside = (succeed: (stream: Socket) => void): void => {
    const ms = IMPATIENCE.shortestMs + Math.random() * (IMPATIENCE.longestMs - IMPATIENCE.shortestMs)
    const dueAt = performance.now() + ms
    timer = setTimeout(() => {
      // An event loop that was held up has not read answers that came in time.
      if (performance.now() < dueAt + LATE_MS) {
        impatient.abort()
        impatient = new AbortController()
        // The patient one says what is wrong.
        attempt(impatient.signal).then(succeed, () => undefined)
      }
      tryBeside(succeed)
    }, ms)
  }
  try {
    return await new Promise<Socket>((resolve, reject) => {
      let isTaken = false
      const succeed = (stream: Socket): void => {
        if (isTaken) stream.destroy()
        else resolve(stream)
        isTaken = true
      }
      attempt(AbortSignal.any([signal, settled.signal])).then(succeed, reject)
      tryBeside(succeed)
    })
  } finally {
    clearTimeout(timer)
    settled.abort()
    impatient.abort()
  }
}

interface Progress {
  /** Whether any attempt came as far as an open, encrypted connection. */
  isOpen: boolean
}

async function openOnce(
  target: Target,
  credentials: RedisCredentials | undefined,
  progress: Progress,
  signal: AbortSignal,
): Promise<Socket> {
  const name = nameOf(target)
  const stream = startStream(target)
  try {
    const broken = breakOf(stream, name)
    const givenUp = abortOf(signal)
    const opening = once(stream, target.tls === undefined ? 'connect' : 'secureConnect')
    opening.catch(() => undefined)
    await Promise.race([givenUp, broken.catch(explainNoStream(target)), opening])
    progress.isOpen = true
    const refused = broken.catch(explainNoAnswer(target))
    // A host that accepts, and from which nothing comes, is not there yet.
    await Promise.race([givenUp, refused, greet(stream)])
    await Promise.race([givenUp, broken, logIn(stream, target, credentials)])
    return stream
  } catch (error) {
    stream.destroy()
    throw error
  }
}

/** Rejects with the signal's reason. */
function abortOf(signal: AbortSignal): Promise<never> {
  const aborted = new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
  aborted.catch(() => undefined)
  return aborted
}

/** Any answer will do, but one before which the server hangs up. */
async function greet(stream: Socket): Promise<void> {
  const fault = await request(stream, ['PING'])
  if (fault !== undefined && /max number of clients|^DENIED/i.test(fault))
    throw new RedisConnectError('TURNED_AWAY', fault)
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
