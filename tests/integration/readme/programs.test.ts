import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { codeBlocks, PROJECT } from '../../support/code-blocks.js'
import { startProcess } from '../../support/start-process.js'

it.each([
  ['docs/canvas.md', 1, 6],
  ['docs/results.md', 1, 7],
  ['docs/tasks.md', 1, 2],
  ['docs/tasks.md', 2, 1],
  ['docs/tasks.md', 3, 2],
])('%s: program %d prints what it says it prints', async (document, number, lines) => {
  const examples = codeBlocks(document).filter(({ language }) => language === 'ts')
  const code = examples[number - 1]?.code ?? ''
  const directory = await mkdtemp(path.join(tmpdir(), 'lovage-program-'))
  atTestEnd(() => rm(directory, { recursive: true, force: true }))
  const program = path.join(directory, 'example.mts')
  await writeFile(program, code.replace("'lovage'", JSON.stringify(path.join(PROJECT, 'src/index.ts'))))

  const started = startProcess(process.execPath, ['--import', 'tsx', program], { cwd: PROJECT })
  const { code: exitCode } = await started.exit
  await started.drained
  expect(exitCode, started.output()).toBe(0)
  const promised = [...code.matchAll(/^ *console\.log\(.*\/\/ (.*)$/gm)].map(([, printed]) => printed)
  expect(promised).toHaveLength(lines)
  expect(started.output().split('\n')).toEqual(promised)
})
