import { z } from 'zod'

const schemaShape = z.looseObject({
  $ref: z.string().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  get items() {
    return schemaShape.optional()
  },
  get anyOf() {
    return z.array(schemaShape).optional()
  },
  get properties() {
    return z.record(z.string(), schemaShape).optional()
  },
  required: z.array(z.string()).optional(),
})
type Schema = z.output<typeof schemaShape>

const contentShape = z.record(z.string(), z.looseObject({ schema: schemaShape.optional() }))

const operationShape = z.looseObject({
  summary: z.string().optional(),
  description: z.string().optional(),
  parameters: z
    .array(
      z.looseObject({
        name: z.string(),
        in: z.string(),
        required: z.boolean().optional(),
        description: z.string().optional(),
        schema: schemaShape.optional(),
      }),
    )
    .default([]),
  requestBody: z.looseObject({ content: contentShape }).optional(),
  responses: z
    .record(
      z.string(),
      z.looseObject({ description: z.string().default(''), content: contentShape.default({}) }),
    )
    .default({}),
})

/** What of an OpenAPI document the page shows. */
const documentShape = z.looseObject({
  info: z.looseObject({ title: z.string(), version: z.string(), description: z.string().default('') }),
  paths: z.record(z.string(), z.record(z.string(), operationShape)),
  components: z
    .looseObject({ schemas: z.record(z.string(), schemaShape).default({}) })
    .default({ schemas: {} }),
})

/** A page that shows an OpenAPI document; it loads nothing and runs nothing. */
export function docsPage(openApi: unknown): string {
  const { info, paths, components } = documentShape.parse(openApi)
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationSection(method, path, operation)),
  )
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      html`<section id="${name}">
        <h3>${name}</h3>
        ${schemaDetails(schema)}
      </section>`,
  )
  return html`<!doctype html>
    <html lang="en">
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width" />
      <title>${info.title} API</title>
      <style>
        body {
          font:
            16px/1.5 system-ui,
            sans-serif;
          max-width: 60rem;
          margin: 2rem auto;
          padding: 0 1rem;
          color: #1c1c1e;
        }
        section {
          border-top: 1px solid #ddd;
          margin-top: 1.5rem;
        }
        code {
          font-size: 0.9em;
          background: #f3f3f5;
          padding: 0.1em 0.3em;
          border-radius: 3px;
        }
        table {
          border-collapse: collapse;
          width: 100%;
        }
        td {
          border-top: 1px solid #eee;
          padding: 0.3rem 0.8rem 0.3rem 0;
          vertical-align: top;
        }
        .method {
          text-transform: uppercase;
          color: #0a6;
        }
        @media (prefers-color-scheme: dark) {
          body {
            background: #1c1c1e;
            color: #eee;
          }
          code {
            background: #333;
          }
          section,
          td {
            border-color: #444;
          }
          a {
            color: #8bf;
          }
        }
      </style>
      <h1>${info.title} API <small>${info.version}</small></h1>
      <p>${info.description}</p>
      <p>This as <a href="/api/openapi.json">OpenAPI</a>.</p>
      ${operations}
      <h2>Schemas</h2>
      ${schemas}
    </html>`.text
}

function operationSection(method: string, path: string, operation: z.output<typeof operationShape>): Html {
  const { summary = '', description = '', parameters, requestBody, responses } = operation
  const rows = parameters.map(
    (each) =>
      html`<tr>
        <td><code>${each.name}</code> in ${each.in}${each.required === true ? ', required' : ''}</td>
        <td>${each.schema === undefined ? '' : typeOf(each.schema)}</td>
        <td>${each.description ?? each.schema?.description ?? ''}</td>
      </tr>`,
  )
  const bodies = Object.entries(requestBody?.content ?? {}).map(
    ([type, { schema }]) =>
      html`<p>Body, <code>${type}</code>: ${schema === undefined ? '' : schemaDetails(schema)}</p>`,
  )
  const answers = Object.entries(responses).map(
    ([status, { description: meaning, content }]) =>
      html`<tr>
        <td>${status}</td>
        <td>${Object.values(content).map(({ schema }) => (schema === undefined ? '' : typeOf(schema)))}</td>
        <td>${meaning}</td>
      </tr>`,
  )
  return html`<section>
    <h2><span class="method">${method}</span> <code>${path}</code></h2>
    <p><strong>${summary}</strong>${summary === '' ? '' : '. '}${description}</p>
    <table>
      ${rows}
    </table>
    ${bodies}
    <table>
      ${answers}
    </table>
  </section>`
}

function schemaDetails(schema: Schema): Html {
  if (schema.properties === undefined) return typeOf(schema)
  const required = new Set(schema.required)
  const rows = Object.entries(schema.properties).map(
    ([name, member]) =>
      html`<tr>
        <td><code>${name}</code>${required.has(name) ? ', required' : ''}</td>
        <td>${typeOf(member)}</td>
        <td>${member.description ?? ''}</td>
      </tr>`,
  )
  return html`${schema.description ?? ''}
    <table>
      ${rows}
    </table>`
}

function typeOf(schema: Schema): Html {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? ''
    return html`<a href="#${name}">${name}</a>`
  }
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`
  if (schema.enum !== undefined)
    return html`<code>${schema.enum.map((value) => JSON.stringify(value)).join(' | ')}</code>`
  if (schema.anyOf !== undefined)
    return html`${schema.anyOf.map((each, i) => html`${i === 0 ? '' : ' or '}${typeOf(each)}`)}`
  if (schema.items !== undefined) return html`list of ${typeOf(schema.items)}`
  return html`${[schema.type ?? 'anything'].flat().join(' or ')}`
}

/** Text that is markup already. */
interface Html {
  readonly text: string
}

/** Puts values into markup: texts are escaped, markup is taken as it is, lists are joined. */
function html(parts: TemplateStringsArray, ...values: (string | Html | readonly (string | Html)[])[]): Html {
  const text = parts.reduce((before, part, i) => {
    const value = values[i - 1] ?? ''
    const list: readonly (string | Html)[] = typeof value === 'string' || 'text' in value ? [value] : value
    return (
      before + list.map((each) => (typeof each === 'string' ? escapeHtml(each) : each.text)).join('') + part
    )
  })
  return { text }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
