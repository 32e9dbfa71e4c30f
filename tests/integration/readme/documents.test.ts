import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeBlocks, PROJECT, type CodeBlock } from '../../support/code-blocks.js'
import { redisBinary } from '../../support/redis-server.js'
import { startDocumentedService, type DocumentedService } from '../../support/service.js'
import { startProcess } from '../../support/start-process.js'

const DOCUMENTS = [
  'README.md',
  'docs/acl.md',
  'docs/api.md',
  'docs/configuration.md',
  'docs/internals.md',
  'docs/operations.md',
  'docs/security.md',
]

let directory: string
let service: DocumentedService
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lovage-documents-'))
  service = await startDocumentedService(directory, redisBinary())
})
afterAll(async () => {
  await service.process.stop(20_000)
  await rm(directory, { recursive: true, force: true })
})

interface Ran {
  readonly code: number | null
  readonly output: string
}

/** Run what a reader would paste. */
async function run({ language, code }: CodeBlock): Promise<Ran> {
  const text = service.localized(code)
  const options = { cwd: directory, env: service.env }
  const start = async () => {
    if (language === 'sh') return startProcess('bash', ['-euo', 'pipefail', '-c', text], options)
    await writeFile(path.join(directory, 'shop.ts'), text)
    const tsx = path.join(PROJECT, 'node_modules/tsx/dist/cli.mjs')
    return startProcess(process.execPath, [tsx, 'shop.ts'], options)
  }
  const started = await start()
  const { code: exitCode } = await started.exit
  await started.drained
  return { code: exitCode, output: started.output() }
}

/** Small images of Node.js come without it. */
const hasCurl = spawnSync('curl', ['--version']).status === 0

/** What `npm test` and `npm start` run by themselves. */
const isSetUp = ({ code }: CodeBlock): boolean => code.startsWith('npm ci')

const blocks = DOCUMENTS.flatMap((document) =>
  codeBlocks(document).map((block, i) => ({ ...block, document, i })),
)

describe('the commands and programs of the documents', () => {
  it.each(blocks.filter((block) => ['sh', 'ts'].includes(block.language) && !isSetUp(block)))(
    '$document, block $i ($language), can be run as it stands',
    async (block) => {
      const { code, output } = await run(block)
      expect(output).not.toMatch(/"error": ?\{/)
      expect(code, output).toBe(0)
      // What a program prints stands behind the line that prints it.
      for (const [, printed = ''] of block.code.matchAll(/console\.log\(.*\/\/ (.*)$/gm))
        expect(output).toContain(printed)
    },
  )

  it('are in languages that a test runs, or are no commands', () => {
    const languages = new Set(blocks.map(({ language }) => language))
    expect([...languages].filter((each) => !['sh', 'ts', 'python', 'text', 'acl'].includes(each))).toEqual([])
  })
})

describe('README.md', () => {
  it('names the two commands that there are', () => {
    const setUp = codeBlocks('README.md').filter(isSetUp)
    const { scripts } = JSON.parse(readFileSync(path.join(PROJECT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    expect(setUp.flatMap(({ code }) => [...code.matchAll(/&& npm (\w+)/g)].map(([, name]) => name))).toEqual([
      'start',
      'test',
    ])
    expect(scripts).toMatchObject({ prestart: 'tsx scripts/build.ts', start: 'exec node dist/start.js' })
  })

  it('ends its walk-through with a page that shows the report', async ({ skip }) => {
    skip(!hasCurl, 'there is no curl')
    const walkThrough = codeBlocks('README.md').find(({ code }) => code.includes('birds.html'))
    const { output } = await run(walkThrough ?? { language: 'sh', code: 'false' })
    expect(output).toContain('"state":"SUCCESS"')
    const page = await readFile(path.join(directory, 'birds.html'), 'utf8')
    expect(page).toContain('<!doctype html>')
    for (const group of ['Small', 'Medium', 'Large']) expect(page).toContain(group)
  })
})

describe('links', () => {
  it.each([...DOCUMENTS, 'CONTRIBUTING.md'])('of %s lead to files that are there', (document) => {
    const text = readFileSync(path.join(PROJECT, document), 'utf8').replaceAll(/^```[^]*?^```$/gm, '')
    const targets = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target = '']) => target)
    const missing = targets.filter(
      (target) => !existsSync(path.join(PROJECT, path.dirname(document), target)),
    )
    expect(missing).toEqual([])
  })
})
