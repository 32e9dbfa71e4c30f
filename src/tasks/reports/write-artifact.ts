import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'

/**
 * Write `content` as the file `name` in `dir`, whole or not at all: under a temporary name
 * (`.<name>.<uuid>.tmp`) first, so that a reader sees the old file or the new one. Only a killed process
 * leaves a temporary file behind.
 *
 * @returns The file's size in bytes.
 */
export async function writeArtifact(
  dir: string,
  name: string,
  content: string,
  signal: AbortSignal,
): Promise<number> {
  await mkdir(dir, { recursive: true })
  const bytes = Buffer.from(content)
  const temporary = path.join(dir, `.${name}.${randomUUID()}.tmp`)
  try {
    await using file = await open(temporary, 'wx')
    await file.writeFile(bytes, { signal })
    await file.sync()
    signal.throwIfAborted()
    await rename(temporary, path.join(dir, name))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  return bytes.length
}
