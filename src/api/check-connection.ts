import { within } from '../app/within.js'

/** What can say whether it answers: a broker, a result backend. */
export interface Connection {
  readonly url: string
  /** Round trip in milliseconds. */
  ping(timeoutMs: number): Promise<number>
}

export interface ConnectionState {
  readonly configured: boolean
  readonly ok: boolean
  /** For people; tells neither address nor credentials, since everybody may ask. */
  readonly details: string
}

const TIME_LIMIT_MS = 1000

/** Whether a connection answers within a second. Never rejects. */
export async function checkConnection(connection: Connection): Promise<ConnectionState> {
  const scheme = connection.url.split(':', 1)[0] ?? ''
  if (scheme === 'disabled') return { configured: false, ok: true, details: 'not configured' }
  try {
    const ms = await within(TIME_LIMIT_MS, connection.ping(TIME_LIMIT_MS))
    return { configured: true, ok: true, details: `ok: ${scheme}, ${Math.round(ms)} ms` }
  } catch (error) {
    return { configured: true, ok: false, details: `failed: ${scheme}, ${reason(error)}` }
  }
}

/** The system's code for why there is no connection, or that there was no answer: messages carry addresses. */
function reason(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && /^E[A-Z]+$/.test(cause.code)) return cause.code
    if (cause.name === 'ReplyError') return cause.message.split(' ', 1)[0] ?? 'refused'
  }
  return `no answer within ${TIME_LIMIT_MS} ms`
}
