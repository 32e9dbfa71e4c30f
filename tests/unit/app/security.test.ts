import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { resolveSettings } from '../../../src/app/settings.js'
import { SettingsError } from '../../../src/app/settings-error.js'
import type { CelerySettings } from '../../../src/app/celery-settings.js'
import { makeCertificates, makeSigner, type Signer } from '../../support/certificates.js'
import { tempDir } from '../../support/temp-dir.js'

describe('settings of the serializer auth', () => {
  let signer: Signer
  let store: string

  beforeAll(async () => {
    signer = await makeSigner('/CN=billing')
    store = await tempDir()
    await copyFile(signer.certificate, path.join(store, 'billing.pem'))
  })

  const given = (): CelerySettings => ({
    securityKey: signer.key,
    securityCertificate: signer.certificate,
    securityCertStore: store,
  })

  it.each(['', '/*.pem', '/billing.pem', '/b?lling.*'])('takes the store %j', (pattern) => {
    const settings = resolveSettings({
      ...given(),
      securityCertStore: store + pattern,
      acceptContent: ['auth'],
      taskSerializer: 'auth',
      resultSerializer: 'auth',
    })
    const { auth } = settings
    expect(auth?.decode(Buffer.from(auth.encode([1])))).toEqual([1])
  })

  it('takes a key with a password, which has to be right', async () => {
    const { key, certificate } = await makeSigner('/CN=locked', { keyPassword: 'correct horse' })
    const locked = { ...given(), securityKey: key, securityCertificate: certificate }
    expect(resolveSettings({ ...locked, securityKeyPassword: 'correct horse' }).auth).toBeDefined()
    expect(() => resolveSettings({ ...locked, securityKeyPassword: 'wrong' })).toThrow(
      /securityKey: cannot use/,
    )
    expect(() => resolveSettings(locked)).toThrow(/securityKey: cannot use/)
  })

  it('verifies without a key', () => {
    expect(resolveSettings({ securityCertStore: store, acceptContent: ['auth'] }).auth).toBeDefined()
    expect(resolveSettings({}).auth).toBeUndefined()
  })

  it.each<[string, () => CelerySettings | Promise<CelerySettings>, RegExp]>([
    [
      'a serializer without certificates',
      () => ({ taskSerializer: 'auth' }),
      /taskSerializer: auth needs securityKey/,
    ],
    [
      'a serializer without a key',
      () => ({ resultSerializer: 'auth', securityCertStore: store }),
      /resultSerializer: auth needs securityKey/,
    ],
    [
      'a content type without a store',
      () => ({ acceptContent: ['auth'] }),
      /acceptContent: auth needs securityCertStore/,
    ],
    [
      'a key without its certificate',
      () => ({ ...given(), securityCertificate: undefined }),
      /securityKey: signing takes securityCertificate as well/,
    ],
    [
      'a certificate without its key',
      () => ({ ...given(), securityKey: undefined }),
      /securityCertificate: signing takes securityKey as well/,
    ],
    [
      'the key of another',
      async () => ({ ...given(), securityKey: (await makeSigner('/CN=other')).key }),
      /securityKey: expected the key of the certificate .*signer\.pem, got another/,
    ],
    [
      'a file that is not there',
      () => ({ ...given(), securityKey: '/no/key' }),
      /cannot read \/no\/key: ENOENT/,
    ],
    [
      'a folder that is not there',
      () => ({ ...given(), securityCertStore: '/no/certs/*.pem' }),
      /securityCertStore: cannot read \/no\/certs: ENOENT/,
    ],
    [
      'a pattern that matches nothing',
      () => ({ ...given(), securityCertStore: `${store}/*.crt` }),
      /securityCertStore: expected a folder of certificates.*no file matches/,
    ],
    [
      'what is no certificate',
      async () => {
        const folder = await tempDir()
        await mkdir(path.join(folder, 'sub'))
        await writeFile(path.join(folder, 'notes.txt'), 'not a certificate')
        return { ...given(), securityCertStore: folder }
      },
      /securityCertStore: .*notes\.txt is no X\.509 certificate/,
    ],
    [
      'keys that are not RSA',
      async () => ({ ...given(), securityCertStore: (await makeCertificates()).ca }),
      /securityCertStore: expected an RSA key in .*, got string "ec"/,
    ],
    [
      'short secrets',
      () => ({ messageSecrets: ['hunter2'] }),
      /messageSecrets\.0: expected .* 32 characters, got string$/,
    ],
    ['no secrets', () => ({ messageSecrets: [] }), /messageSecrets: expected a list/],
  ])('refuses %s', async (_, settings, message) => {
    const resolved = await settings()
    expect(() => resolveSettings(resolved)).toThrow(SettingsError)
    expect(() => resolveSettings(resolved)).toThrow(message)
  })
})
