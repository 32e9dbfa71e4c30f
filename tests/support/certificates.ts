import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { tempDir } from './temp-dir.js'

/** Files of PEM. */
export interface Certificates {
  readonly ca: string
  /** Of a certificate for the name `localhost`, by that authority. */
  readonly serverCertificate: string
  readonly serverKey: string
  readonly clientCertificate: string
  readonly clientKey: string
  /** Another authority, which signed none of these. */
  readonly otherCa: string
}

/** Arguments of a server that speaks TLS on this port; whether it wants certificates of its clients is left open. */
export function tlsServerArgs(certificates: Certificates, port: number): string[] {
  const { ca, serverCertificate, serverKey } = certificates
  const files = ['--tls-cert-file', serverCertificate, '--tls-key-file', serverKey, '--tls-ca-cert-file', ca]
  return ['--tls-port', String(port), ...files]
}

/**
 * Make an authority and certificates with `openssl`, in a directory that is removed when the test ends.
 *
 * @param options.days - for how long the certificates hold.
 */
export async function makeCertificates({ days = 2 } = {}): Promise<Certificates> {
  const directory = await tempDir()
  const file = (name: string): string => path.join(directory, name)
  const makeAuthority = async (name: string): Promise<void> => {
    await openssl([
      'req',
      '-x509',
      '-nodes',
      '-days',
      String(days),
      '-subj',
      `/CN=${name}`,
      ...newKey(file(`${name}.key`)),
      '-out',
      file(`${name}.pem`),
    ])
  }
  const issue = async (name: string, subject: string): Promise<void> => {
    const [request, extensions] = [file(`${name}.csr`), file(`${name}.ext`)]
    await writeFile(extensions, 'subjectAltName=DNS:localhost\n')
    await openssl([
      'req',
      '-nodes',
      '-subj',
      `/CN=${subject}`,
      ...newKey(file(`${name}.key`)),
      '-out',
      request,
    ])
    const signer = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial']
    await openssl([
      'x509',
      '-req',
      '-days',
      String(days),
      '-in',
      request,
      ...signer,
      '-extfile',
      extensions,
      '-out',
      file(`${name}.pem`),
    ])
  }
  await Promise.all([makeAuthority('ca'), makeAuthority('other-ca')])
  // One after the other: both write the authority's serial number.
  await issue('server', 'localhost')
  await issue('client', 'a client')
  return {
    ca: file('ca.pem'),
    serverCertificate: file('server.pem'),
    serverKey: file('server.key'),
    clientCertificate: file('client.pem'),
    clientKey: file('client.key'),
    otherCa: file('other-ca.pem'),
  }
}

/** Files of PEM of somebody who signs messages. */
export interface Signer {
  readonly key: string
  /** Signed by itself. */
  readonly certificate: string
}

/**
 * Make an RSA key and a certificate of it, in a directory that is removed when the test ends.
 *
 * @param subject - As `openssl req -subj` takes it: `/O=Acme/CN=billing`.
 */
export async function makeSigner(
  subject: string,
  { keyPassword, bits = 2048 }: { readonly keyPassword?: string; readonly bits?: number } = {},
): Promise<Signer> {
  const directory = await tempDir()
  const [key, certificate] = [path.join(directory, 'signer.key'), path.join(directory, 'signer.pem')]
  const encryption = keyPassword === undefined ? ['-nodes'] : ['-passout', `pass:${keyPassword}`]
  await openssl([
    ...['req', '-x509', '-utf8', '-days', '2', '-subj', subject, ...encryption],
    ...['-newkey', `rsa:${bits}`, '-keyout', key, '-out', certificate],
  ])
  return { key, certificate }
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', file]
}

async function openssl(args: readonly string[]): Promise<void> {
  await promisify(execFile)('openssl', args)
}
