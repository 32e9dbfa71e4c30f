import { fault, ok, unseen, warning } from '../finding.js'
import { observe } from '../observe.js'
import { TLSSocket } from 'node:tls'
import type { ServerCheck } from '../subject.js'

const SLOW_ROUND_TRIP_MS = 25
const ROUND_TRIPS = 5

export const roundTrip: ServerCheck = {
  name: 'round-trip',
  async look({ client }) {
    const times: number[] = []
    for (let i = 0; i < ROUND_TRIPS; i += 1) {
      const start = performance.now()
      const answer = await observe('PING', () => client.ping())
      if (answer.kind === 'unseen') return unseen('round-trip', answer.why)
      times.push(performance.now() - start)
    }
    const median = times.toSorted((a, b) => a - b)[Math.floor(ROUND_TRIPS / 2)] ?? 0
    const found = `${median.toFixed(median < 10 ? 1 : 0)} ms`
    if (median <= SLOW_ROUND_TRIP_MS) return ok('round-trip', found)
    return warning(
      'round-trip',
      found,
      'run workers nearer to it: sending and fetching wait for it each time',
    )
  },
}

const DAY_MS = 86_400_000
const RENEW_WITHIN_DAYS = 14
const LAST_DAYS = 2

export const encryption: ServerCheck = {
  name: 'tls',
  look({ client, target }, { clock }) {
    const socket = client.stream
    if (!(socket instanceof TLSSocket)) {
      if (target !== undefined && 'path' in target.address)
        return ok('tls', 'not needed on a socket of this machine')
      if (isLoopback(socket.remoteAddress)) return ok('tls', 'off, on the loopback interface')
      return warning('tls', 'off: passwords and messages can be read on the way', 'use rediss://')
    }
    const certificate = socket.getPeerCertificate()
    const ends = Date.parse(certificate.valid_to)
    const version = socket.getProtocol() ?? 'TLS'
    if (Number.isNaN(ends)) return unseen('tls', `${version}, and a certificate without dates`)
    const days = (ends - clock.now()) / DAY_MS
    const found = `${version}, certificate until ${new Date(ends).toISOString().slice(0, 10)}`
    const renew = 'renew the certificate: once it has ended, nothing connects any more'
    if (days < 0) return fault('tls', `${found}: it has ended`, 'renew the certificate')
    if (days < LAST_DAYS) return fault('tls', `${found}: ${Math.round(days * 24)} hours left`, renew)
    if (days < RENEW_WITHIN_DAYS) return warning('tls', `${found}: ${Math.floor(days)} days left`, renew)
    if (target?.tls?.rejectUnauthorized === false) {
      const advice = 'name the authority by ssl_ca_certs and leave out ssl_cert_reqs=none'
      return warning('tls', `${found}; it is not verified, so anybody can pose as the server`, advice)
    }
    return ok('tls', found)
  },
}

function isLoopback(address: string | undefined): boolean {
  return address === undefined || /^(?:::ffff:)?127\.|^::1$/.test(address)
}
