import { fault, type Finding } from './finding.js'
import { redactUrls } from '../log.js'

/** A text of an error, and what to do about it; the first that fits counts. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/WRONGPASS|invalid username-password|invalid password/i, 'correct user and password of the URL'],
  [/NOAUTH/, 'the server wants a password: put it into the URL'],
  [/max number of clients/i, 'raise maxclients, or stop what connects so often'],
  [/LOADING/, 'wait: the server reads its data'],
  [/ENOTFOUND|EAI_AGAIN/, 'correct the host of the URL, or look at the name server'],
  [/ECONNREFUSED/, 'start the server, or correct host and port of the URL'],
  [/EHOSTUNREACH|ENETUNREACH/, 'look at the way there: routes, VPN, security groups'],
  [/ENOENT|EACCES/, 'correct the path of the socket, or who may use it'],
  [/CERT_HAS_EXPIRED|certificate has expired/i, 'renew the certificate of the server'],
  [/ALTNAME|does not match certificate/i, 'use a host that the certificate names'],
  [
    /self[- _]signed|UNABLE_TO|unable to (?:verify|get)/i,
    'name the authority of the certificate by ssl_ca_certs',
  ],
  [
    /does this port speak TLS|may not speak TLS/,
    'use redis:// if it speaks none, or name its TLS port; else look at the way there',
  ],
  [/may expect TLS/, 'use rediss:// if it speaks TLS; else look whether it is up, and into its log'],
  [/wrong version number|packet length/i, 'this port speaks no TLS: use redis://, or its TLS port'],
  [/certificate required|handshake failure|alert/i, 'show a certificate by ssl_certfile and ssl_keyfile'],
  [/invalid DB|out of range/i, 'correct the database of the URL'],
  [/sentinel/i, 'look at the sentinels and at masterName'],
]

const ELSE =
  'look at the server, the way there, and whether it wants TLS (rediss://): it said nothing that could be used'

export function explainFailure(error: unknown): Finding {
  const found = redactUrls(error instanceof Error ? error.message : String(error))
  const texts: string[] = []
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    texts.push(cause.message, 'code' in cause ? String(cause.code) : '')
  }
  const all = texts.join(' ')
  const [, advice] = ADVICE.find(([pattern]) => pattern.test(all)) ?? []
  return fault('reachability', found, advice ?? ELSE)
}
