import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { atTestEnd } from './at-test-end.js'

/** A fresh directory, removed with all it holds when the test ends. */
export async function tempDir(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'lovage-'))
  atTestEnd(() => rm(directory, { recursive: true, force: true }))
  return directory
}
