import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { codeBlocks, PROJECT } from '../../support/code-blocks.js'
import { startProcess } from '../../support/start-process.js'

// Node.js 20 warns of `mock.timers`.
const FLAGS = ['--disable-warning=ExperimentalWarning', '--import', 'tsx']

it.each([
  ['docs/canvas.md', 1, 6],
  ['docs/results.md', 1, 7],
  ['docs/tasks.md', 1, 2],
  ['docs/tasks.md', 2, 1],
  ['docs/tasks.md', 3, 2],
  ['docs/testing.md', 1, 1],
  ['docs/testing.md', 2, 1],
  ['docs/testing.md', 3, 1],
  ['docs/testing.md', 4, 2],
  ['docs/testing.md', 5, 2],
])('%s: program %d prints what it says it prints', async (document, number, lines) => {
  const examples = codeBlocks(document).filter(({ language }) => language === 'ts')
  const code = examples[number - 1]?.code ?? ''
  const directory = await mkdtemp(path.join(tmpdir(), 'lovage-program-'))
  atTestEnd(() => rm(directory, { recursive: true, force: true }))
  const program = path.join(directory, 'example.mts')
  const source = (name: string): string => JSON.stringify(path.join(PROJECT, 'src', name))
  const localized = code
    .replace("'lovage'", source('index.ts'))
    .replace("'lovage/testing'", source('testing.ts'))
  await writeFile(program, localized)

  const started = startProcess(process.execPath, [...FLAGS, program], { cwd: PROJECT })
  const { code: exitCode } = await started.exit
  await started.drained
  expect(exitCode, started.output()).toBe(0)
  const promised = [...code.matchAll(/^ *console\.log\(.*\/\/ (.*)$/gm)].map(([, printed]) => printed)
  expect(promised).toHaveLength(lines)
  expect(started.output().split('\n')).toEqual(promised)
})
