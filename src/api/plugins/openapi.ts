import { readFileSync } from 'node:fs'
import { createJsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import swagger from '@fastify/swagger'
import type { ApiServer } from '../api-server.js'

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string
}

const transformRoute = createJsonSchemaTransform({})

/** As `transformRoute`, and for a body with a schema for each content type, too. */
const transformRouteWithContents: typeof transformRoute = (document) => {
  const { body, ...rest } = document.schema ?? {}
  if (!hasContents(body)) return transformRoute(document)
  const transformed = transformRoute({ ...document, schema: rest })
  const content = Object.fromEntries(
    Object.entries(body.content).map(([type, { schema }]) => [
      type,
      { schema: transformRoute({ ...document, schema: { body: schema } }).schema.body },
    ]),
  )
  return { ...transformed, schema: { ...transformed.schema, body: { content } } }
}

function hasContents(
  body: unknown,
): body is { readonly content: Readonly<Record<string, { readonly schema: unknown }>> } {
  return typeof body === 'object' && body !== null && 'content' in body
}

/** Document the routes that are added afterwards, out of the schemas they check with. */
export function addOpenApi(server: ApiServer, { needsToken }: { readonly needsToken: boolean }): void {
  server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Lovage',
        version,
        description:
          'Send Celery tasks and learn what became of them. Every error is {error: {code, message, details?}}.',
      },
      tags: [
        { name: 'tasks', description: 'Any task, by its name' },
        { name: 'reports', description: 'Reports of CSV files' },
        { name: 'operations', description: 'Health and metrics' },
      ],
      ...(needsToken
        ? {
            components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
            security: [{ token: [] }],
          }
        : {}),
    },
    transform: transformRouteWithContents,
    transformObject: (document) => withoutUnused(jsonSchemaTransformObject(document)),
  })
}

/** Only the schemas that something refers to: each is made twice, as it is sent and as it is answered. */
function withoutUnused<Document extends object>(document: Document): Document {
  if (!('components' in document)) return document
  const { components, ...rest } = document
  const { schemas = {}, ...others } = components as { readonly schemas?: Readonly<Record<string, unknown>> }
  const used = new Map<string, unknown>()
  const visit = (value: unknown): void => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue
      used.set(name, schemas[name])
      visit(schemas[name])
    }
  }
  visit(rest)
  return { ...document, components: { ...others, schemas: Object.fromEntries(used) } }
}
