import { describe, expect, it } from 'vitest'
import { freePort } from '../../support/free-port.js'
import { makeCertificates, tlsServerArgs, type Certificates } from '../../support/certificates.js'
import { startProxy } from '../../support/tcp-proxy.js'
import { startRedis } from '../../support/redis-server.js'
import { diagnose } from './diagnose.js'

describe('a server that cannot be reached', () => {
  it('is one fault, and says what to do', async () => {
    const diagnosis = await diagnose(`redis://:hunter2@127.0.0.1:${await freePort()}/0`)
    expect(Object.values(diagnosis)).toEqual([
      {
        name: 'reachability',
        status: 'fault',
        found: expect.stringContaining('ECONNREFUSED') as string,
        advice: expect.stringContaining('start the server') as string,
      },
    ])
    expect(JSON.stringify(diagnosis)).not.toContain('hunter2')
  })

  it('row 2: is told from one that accepts and says nothing', async () => {
    const server = await startRedis()
    await using proxy = await startProxy({ port: server.port })
    proxy.pause()
    const { reachability } = await diagnose(`redis://127.0.0.1:${proxy.port}/0`)
    expect(reachability).toMatchObject({
      status: 'fault',
      found: expect.stringContaining('not ready within') as string,
      advice: expect.stringContaining('rediss://') as string,
    })
  })

  it.each([
    ['wrong', 'redis://:wrong@', /WRONGPASS/, /correct user and password/],
    ['missing', 'redis://', /NOAUTH/, /wants a password/],
  ])('is told from one whose password is %s', async (_, start, found, advice) => {
    const { port } = await startRedis({ args: ['--requirepass', 'right'] })
    expect((await diagnose(`${start}127.0.0.1:${port}/0`)).reachability).toMatchObject({
      status: 'fault',
      found: expect.stringMatching(found) as string,
      advice: expect.stringMatching(advice) as string,
    })
  })

  it('is told of a database that is not there', async () => {
    const { port } = await startRedis()
    expect((await diagnose(`redis://127.0.0.1:${port}/99`)).reachability).toMatchObject({
      status: 'fault',
      advice: 'correct the database of the URL',
    })
  })

  it('does not keep the other one from being examined', async () => {
    const { url } = await startRedis()
    const diagnosis = await diagnose(`redis://127.0.0.1:${await freePort()}/0`, { backend: url })
    // That of the backend, which comes last.
    expect(diagnosis.reachability).toMatchObject({ status: 'ok' })
    expect(diagnosis.server).toMatchObject({ status: 'ok' })
  })
})

describe('memory://', () => {
  it('has nothing to look at', async () => {
    expect(Object.values(await diagnose('memory://'))).toEqual([
      { name: 'reachability', status: 'ok', found: 'in this process: there is nothing to look at' },
    ])
  })
})

describe('TLS', () => {
  const start = async (certificates: Certificates): Promise<number> => {
    const port = await freePort()
    await startRedis({ args: [...tlsServerArgs(certificates, port), '--tls-auth-clients', 'no'] })
    return port
  }

  it.each([
    [90, 'ok', /^TLSv1\.[23], certificate until \d{4}-\d\d-\d\d$/],
    [10, 'warning', /: 9 days left$/],
    [1, 'fault', /: 2[34] hours left$/],
  ])('row 36: a certificate that ends in %i days is %s', async (days, status, found) => {
    const certificates = await makeCertificates({ days })
    const port = await start(certificates)
    const { tls } = await diagnose(`rediss://localhost:${port}/0?ssl_ca_certs=${certificates.ca}`)
    expect(tls).toMatchObject({ status, found: expect.stringMatching(found) as string })
  })

  it('row 36: warns where nothing is verified', async () => {
    const port = await start(await makeCertificates({ days: 90 }))
    const { tls } = await diagnose(`rediss://localhost:${port}/0?ssl_cert_reqs=none`)
    expect(tls).toMatchObject({ status: 'warning', found: expect.stringContaining('not verified') as string })
  })

  it('row 36: says what to do about an authority that is not known', async () => {
    const port = await start(await makeCertificates())
    const { reachability } = await diagnose(`rediss://localhost:${port}/0`)
    expect(reachability).toMatchObject({
      status: 'fault',
      advice: expect.stringContaining('ssl_ca_certs') as string,
    })
  })

  it('row 36: says so where the server speaks none', async () => {
    const { port } = await startRedis()
    const { reachability } = await diagnose(`rediss://127.0.0.1:${port}/0`)
    expect(reachability).toMatchObject({ status: 'fault', advice: expect.stringContaining('TLS') as string })
  })
})
