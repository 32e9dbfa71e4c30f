import { docsPage } from '../docs-page.js'
import type { ApiServer } from '../api-server.js'

export function addDocsRoutes(server: ApiServer): void {
  server.route({
    method: 'GET',
    url: '/api/openapi.json',
    schema: { hide: true },
    handler: () => server.swagger(),
  })

  server.route({
    method: 'GET',
    url: '/api/docs',
    schema: { hide: true },
    handler: (_request, reply) =>
      reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'")
        .send(docsPage(server.swagger())),
  })
}
