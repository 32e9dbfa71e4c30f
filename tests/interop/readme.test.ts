import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { celeryGenerations } from '../support/celery-generations.js'
import { codeBlocks } from '../support/code-blocks.js'
import { redisBinary } from '../support/redis-server.js'
import { startDocumentedService, type DocumentedService } from '../support/service.js'
import { startProcess } from '../support/start-process.js'

let directory: string
let service: DocumentedService
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lovage-readme-'))
  service = await startDocumentedService(directory, redisBinary())
})
afterAll(async () => {
  await service.process.stop(20_000)
  await rm(directory, { recursive: true, force: true })
})

const programs = codeBlocks('README.md').filter(({ language }) => language === 'python')

describe.each(celeryGenerations)('README.md with $name', ({ python }) => {
  it.each(programs)('has a Python program that prints what it says it prints', async ({ code }) => {
    const started = startProcess(python, ['-c', service.localized(code)], { cwd: directory })
    const { code: exitCode } = await started.exit
    await started.drained
    expect(exitCode, started.output()).toBe(0)
    const promised = [...code.matchAll(/^print\(.*# (.*)$/gm)].map(([, printed]) => printed)
    expect(promised.length).toBeGreaterThan(0)
    expect(started.output().split('\n')).toEqual(promised)
  })
})
