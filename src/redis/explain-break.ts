import { RedisConnectError } from './errors.js'
import { nameOf, type Target } from './target.js'
import { explainTlsError } from './tls.js'

/** Throws why there is no open stream. A server that does not understand TLS may say nothing, and close. */
export function explainNoStream(target: Target): (error: Error) => never {
  return (error) => {
    if (target.tls === undefined || !isBreak(error)) throw error
    throw brokenOff(target, error, 'BROKEN_OFF', 'during the handshake', 'it may not speak TLS (redis://)')
  }
}

/**
 * Throws why an open stream broke before anything was answered: so it does where the server expects TLS, and after the
 * handshake (TLS 1.3) where it wants a certificate of the client, as the reason that it gives may be lost with the
 * connection.
 */
export function explainNoAnswer(target: Target): (error: Error) => never {
  const { address, tls } = target
  return (error) => {
    if (tls === undefined) {
      if ('path' in address) throw error
      const hint = 'it may expect TLS (rediss://), or not be up yet'
      throw brokenOff(target, error, 'BROKEN_OFF', 'before it answered', hint)
    }
    const explained = explainTlsError(error, nameOf(target))
    if (explained !== error || tls.cert !== undefined) throw explained
    const hint = 'it may want a certificate of the client: set ssl_certfile and ssl_keyfile'
    throw brokenOff(target, error, 'TLS_CLIENT_CERTIFICATE', 'after the handshake', hint)
  }
}

function brokenOff(
  target: Target,
  cause: Error,
  code: RedisConnectError['code'],
  when: string,
  hint: string,
): RedisConnectError {
  return new RedisConnectError(code, `${nameOf(target)} broke off ${when} (${cause.message}); ${hint}`, {
    cause,
  })
}

/** Whether the connection has ended, rather than never begun. */
function isBreak(error: Error): boolean {
  return !('code' in error) || error.code === 'ECONNRESET' || error.code === 'EPIPE'
}
