import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { InvalidRedisOptionsError, RedisConnectError } from './errors.js'
import type { TlsOptions } from './endpoint.js'

/**
 * What Node.js needs for TLS; undefined where neither the URL nor the options ask for it.
 *
 * @throws InvalidRedisOptionsError for a file that cannot be read.
 */
export function tlsFor(
  fromUrl: TlsOptions | undefined,
  fromOptions: TlsOptions | undefined,
): ConnectionOptions | undefined {
  if (fromUrl === undefined && fromOptions === undefined) return undefined
  const said = Object.entries(fromUrl ?? {}).filter(([, value]) => value !== undefined)
  const options: TlsOptions = { ...fromOptions, ...(Object.fromEntries(said) as TlsOptions) }
  const { sslCertReqs = 'required', sslCaCerts, sslCertfile, sslKeyfile, sslCheckHostname = true } = options
  // The oldest version is said here, as the default of Node.js can be lowered from outside.
  const tls: ConnectionOptions = { rejectUnauthorized: sslCertReqs !== 'none', minVersion: 'TLSv1.2' }
  if (sslCaCerts !== undefined) tls.ca = readTlsFile('ssl_ca_certs', sslCaCerts)
  if (sslCertfile !== undefined) {
    tls.cert = readTlsFile('ssl_certfile', sslCertfile)
    tls.key = readTlsFile('ssl_keyfile', sslKeyfile ?? sslCertfile)
  }
  if (!sslCheckHostname) tls.checkServerIdentity = () => undefined
  return tls
}

/** `tls` for one host: without its name, the server cannot choose among its certificates. An address is no name. */
export function forHost(tls: ConnectionOptions, host: string): ConnectionOptions {
  return isIP(host) === 0 ? { ...tls, servername: host } : tls
}

function readTlsFile(name: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new InvalidRedisOptionsError(`${name}: cannot read ${file}: ${(cause as Error).message}`, { cause })
  }
}

const UNTRUSTED = new Set([
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** What went wrong with TLS and which setting helps; another error is returned as it is. */
export function explainTlsError(error: Error, server: string): Error {
  const code = 'code' in error ? String(error.code) : ''
  const explained = (explainedCode: RedisConnectError['code'], message: string): Error =>
    new RedisConnectError(explainedCode, message, { cause: error })

  if (UNTRUSTED.has(code)) {
    return explained(
      'TLS_UNTRUSTED_CERTIFICATE',
      `the certificate of ${server} was not issued by a trusted authority (${error.message}); set ssl_ca_certs to ` +
        'the file of its authority, or ssl_cert_reqs=none to accept any certificate',
    )
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = 'cert' in error ? namesOf(error.cert) : undefined
    return explained(
      'TLS_OTHER_HOST',
      `the host name does not match: the certificate of ${server} is for ${names ?? 'another host'}; connect by a ` +
        'name of the certificate, or set ssl_check_hostname=false',
    )
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const when = code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet'
    return explained(
      'TLS_EXPIRED_CERTIFICATE',
      `the certificate of ${server} ${when}; renew it, or look whether the clock of this machine is right`,
    )
  }
  if (
    /ALERT_(?:CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_UNKNOWN|HANDSHAKE_FAILURE)$/.test(
      code,
    )
  ) {
    return explained(
      'TLS_CLIENT_CERTIFICATE',
      `${server} did not accept this client (${code}); it may want a certificate of the client: set ssl_certfile and ` +
        'ssl_keyfile',
    )
  }
  if (/UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION/.test(code)) {
    return explained(
      'TLS_VERSION',
      `${server} speaks no TLS of version 1.2 or newer, which is the oldest accepted`,
    )
  }
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(code)) {
    return explained(
      'TLS_NOT_SPOKEN',
      `${server} does not speak TLS; without it the URL begins with redis://`,
    )
  }
  return error
}

function namesOf(certificate: unknown): string | undefined {
  const { subjectaltname, subject } = (certificate ?? {}) as {
    readonly subjectaltname?: string
    readonly subject?: { readonly CN?: string }
  }
  return subjectaltname ?? (subject?.CN === undefined ? undefined : `CN=${subject.CN}`)
}
