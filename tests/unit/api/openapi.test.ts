import { describe, expect, it } from 'vitest'
import { apiForTests } from './api-for-tests.js'

interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

async function documentOfApi(): Promise<OpenApi> {
  const { server } = await apiForTests()
  return (await server.inject({ url: '/api/openapi.json' })).json<OpenApi>()
}

/** Every `$ref` anywhere in a value. */
function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) =>
    key === '$ref' && typeof member === 'string' ? [member] : references(member),
  )
}

describe('GET /api/openapi.json', () => {
  it('describes every route', async () => {
    const { openapi, paths } = await documentOfApi()
    expect(openapi).toBe('3.1.0')
    expect(
      Object.entries(paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method} ${path}`),
      ),
    ).toEqual(
      expect.arrayContaining([
        'post /api/tasks/{name}',
        'get /api/tasks/{id}',
        'get /api/tasks/{id}/events',
        'post /api/reports',
        'get /api/reports/{id}',
        'get /api/reports/{id}/download',
        'get /healthz',
        'get /readiness',
        'get /metrics',
      ]),
    )
  })

  it('refers to nothing that is not there, and holds nothing that nobody refers to', async () => {
    const document = await documentOfApi()
    const referred = new Set(
      references(document).map((reference) => reference.replace('#/components/schemas/', '')),
    )
    expect([...referred].sort()).toEqual(Object.keys(document.components.schemas).sort())
  })

  it('describes the body that is checked', async () => {
    const { paths, components } = await documentOfApi()
    const operation = paths['/api/tasks/{name}']?.post as {
      requestBody: { content: Record<string, { schema: { $ref: string } }> }
      responses: Record<string, unknown>
    }
    const reference = operation.requestBody.content['application/json']?.schema.$ref ?? ''
    const schema = components.schemas[reference.split('/').at(-1) ?? ''] as {
      properties: Record<string, unknown>
      required?: string[]
      additionalProperties: boolean
    }
    expect(schema.properties).toMatchObject({
      args: { type: 'array', description: 'Positional arguments.' },
      priority: { type: 'integer', minimum: 0, maximum: 9 },
      eta: { type: 'string' },
    })
    expect(schema.required ?? []).toEqual([])
    expect(schema.additionalProperties).toBe(false)
    expect(Object.keys(operation.responses)).toEqual(
      expect.arrayContaining(['202', '400', '401', '404', '503']),
    )
  })

  it('describes both bodies of a report', async () => {
    const { paths } = await documentOfApi()
    const { requestBody } = paths['/api/reports']?.post as { requestBody: { content: object } }
    expect(Object.keys(requestBody.content)).toEqual(['application/json', 'multipart/form-data'])
  })

  it('asks for a token where one is needed', async () => {
    const { server } = await apiForTests({ tokens: ['t'] })
    const answer = await server.inject({ url: '/api/openapi.json', headers: { authorization: 'Bearer t' } })
    expect(answer.json()).toMatchObject({
      security: [{ token: [] }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      paths: { '/healthz': { get: { security: [] } } },
    })
  })
})

describe('GET /api/docs', () => {
  it('is a page that shows every route and loads nothing', async () => {
    const { server } = await apiForTests()
    const { headers, body } = await server.inject({ url: '/api/docs' })
    expect(headers['content-type']).toBe('text/html; charset=utf-8')
    for (const path of Object.keys((await documentOfApi()).paths))
      expect(body).toContain(`<code>${path}</code>`)
    expect(body).not.toMatch(/<script|<link|<img|\bsrc=|@import|url\(/)
    expect(headers['content-security-policy']).toContain("default-src 'none'")
  })

  it('links only to what is on it', async () => {
    const { server } = await apiForTests()
    const { body } = await server.inject({ url: '/api/docs' })
    const targets = [...body.matchAll(/href="#([^"]+)"/g)].map(([, target]) => target)
    expect(targets.length).toBeGreaterThan(5)
    for (const target of targets) expect(body).toContain(`id="${target ?? ''}"`)
  })
})
