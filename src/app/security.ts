import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { InvalidArgumentError, describeValue } from '../errors.js'
import { createAuthSerializer, type SigningIdentity } from '../serialization/auth-serializer.js'
import { globMatcher } from '../glob.js'
import type { CheckedSettings } from './settings-schema.js'
import type { Serializer } from '../serialization/serializers.js'

/**
 * The serializer `auth` as the settings `security…` describe it; undefined where there is no `securityCertStore`.
 * Reads the files that they name.
 *
 * @throws InvalidArgumentError naming the setting at fault.
 */
export function loadAuthSerializer(settings: CheckedSettings): Serializer | undefined {
  const { securityKey, securityCertificate, securityCertStore } = settings
  if ((securityKey === undefined) !== (securityCertificate === undefined)) {
    const [given, missing] =
      securityKey === undefined
        ? ['securityCertificate', 'securityKey']
        : ['securityKey', 'securityCertificate']
    throw new InvalidArgumentError(`${given}: signing takes ${missing} as well, which is not set`)
  }
  const identity = loadIdentity(settings)
  for (const name of ['taskSerializer', 'resultSerializer'] as const) {
    if (settings[name] === 'auth' && (identity === undefined || securityCertStore === undefined)) {
      throw new InvalidArgumentError(
        `${name}: auth needs securityKey, securityCertificate and securityCertStore`,
      )
    }
  }
  if (securityCertStore === undefined) {
    for (const name of ['acceptContent', 'resultAcceptContent'] as const) {
      if (settings[name]?.includes('auth') !== true) continue
      throw new InvalidArgumentError(`${name}: auth needs securityCertStore`)
    }
    return undefined
  }
  return createAuthSerializer({
    identity,
    trusted: filesOf(securityCertStore).map((file) => loadCertificate('securityCertStore', file)),
    digest: settings.securityDigest,
    layout: settings.securityLayout,
    form: settings.jsonForm,
  })
}

function loadIdentity(settings: CheckedSettings): SigningIdentity | undefined {
  const { securityKey, securityKeyPassword, securityCertificate } = settings
  if (securityKey === undefined || securityCertificate === undefined) return undefined
  const certificate = loadCertificate('securityCertificate', securityCertificate)
  const key = loadKey(securityKey, securityKeyPassword)
  if (!certificate.checkPrivateKey(key)) {
    throw new InvalidArgumentError(
      `securityKey: expected the key of the certificate ${securityCertificate}, got another`,
    )
  }
  return { key, certificate }
}

function loadKey(file: string, passphrase: string | undefined): KeyObject {
  const pem = read('securityKey', file)
  let key: KeyObject
  try {
    key = createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase })
  } catch (error) {
    const { message } = error as Error
    throw new InvalidArgumentError(`securityKey: cannot use ${file}: ${message}`, { cause: error })
  }
  return requireRsa('securityKey', file, key, key)
}

function loadCertificate(setting: string, file: string): X509Certificate {
  const pem = read(setting, file)
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pem)
  } catch (error) {
    const { message } = error as Error
    throw new InvalidArgumentError(`${setting}: ${file} is no X.509 certificate: ${message}`, {
      cause: error,
    })
  }
  if (Date.parse(certificate.validTo) <= Date.now()) {
    throw new InvalidArgumentError(`${setting}: the certificate in ${file} expired ${certificate.validTo}`)
  }
  return requireRsa(setting, file, certificate.publicKey, certificate)
}

function requireRsa<T>(setting: string, file: string, key: KeyObject, value: T): T {
  if (key.asymmetricKeyType === 'rsa') return value
  const { asymmetricKeyType: type } = key
  throw new InvalidArgumentError(`${setting}: expected an RSA key in ${file}, got ${describeValue(type)}`)
}

/** Of a folder all files, else those whose names match what may be a pattern, as Python's `glob` takes it. */
function filesOf(store: string): string[] {
  const isFolder = statSync(store, { throwIfNoEntry: false })?.isDirectory() === true
  const folder = isFolder ? store : path.dirname(store)
  const matches = isFolder ? (): boolean => true : globMatcher(path.basename(store))
  let entries
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    throw cannotRead('securityCertStore', folder, error)
  }
  const files = entries.filter((entry) => !entry.isDirectory() && matches(entry.name))
  if (files.length > 0) return files.map(({ name }) => path.join(folder, name))
  throw new InvalidArgumentError(
    `securityCertStore: expected a folder of certificates, or a pattern such as /etc/certs/*.pem, got ` +
      `${describeValue(store)}, which no file matches`,
  )
}

function read(setting: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw cannotRead(setting, file, error)
  }
}

function cannotRead(setting: string, file: string, error: unknown): InvalidArgumentError {
  const { code, message } = error as NodeJS.ErrnoException
  return new InvalidArgumentError(`${setting}: cannot read ${file}: ${code ?? message}`, { cause: error })
}
