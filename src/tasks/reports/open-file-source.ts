import { constants } from 'node:fs'
import { open, realpath, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { SourceNotAllowedError, SourceNotReadableError } from './errors.js'
import type { OpenSource } from './open-source.js'

const CHUNK_BYTES = 256 * 1024

/** Where reports may read by default: `data` in the working directory, and uploads among the artifacts. */
export function defaultSourceDirs(artifactDir: string, workingDir = process.cwd()): string[] {
  return [path.resolve(workingDir, 'data'), path.resolve(artifactDir, 'uploads')]
}

/**
 * Open a file within one of `allowedDirs`. A relative source is looked up in the working directory and
 * then in each of them. Symbolic links count as what they point to.
 *
 * @throws {@link SourceNotAllowedError} for a place outside, whether or not a file is there.
 * @throws {@link SourceNotReadableError} when there is no regular file to read.
 */
export async function openFileSource(source: string, allowedDirs: readonly string[]): Promise<OpenSource> {
  const candidates = path.isAbsolute(source)
    ? [path.normalize(source)]
    : [...new Set(['.', ...allowedDirs].map((dir) => path.resolve(dir, source)))]
  const inside = candidates.filter((candidate) =>
    allowedDirs.some((dir) => contains(path.resolve(dir), candidate)),
  )
  const realDirs = (await Promise.all(allowedDirs.map((dir) => resolveLinks(dir)))).filter(
    (dir) => dir !== undefined,
  )
  // A folder may be given by its real path while its setting goes through a link.
  inside.push(
    ...candidates.filter((each) => !inside.includes(each) && realDirs.some((dir) => contains(dir, each))),
  )
  if (inside.length === 0) throw notAllowed(source, allowedDirs)

  for (const candidate of inside) {
    const file = await resolveLinks(candidate)
    if (file === undefined) continue
    if (!realDirs.some((dir) => contains(dir, file))) throw notAllowed(source, allowedDirs)
    return readFrom(await openRegularFile(file, source), path.basename(candidate))
  }
  throw new SourceNotReadableError(
    `source ${JSON.stringify(source)}: there is no such file in ${list(allowedDirs)}`,
  )
}

async function openRegularFile(file: string, source: string): Promise<FileHandle> {
  let handle: FileHandle
  try {
    // No link may have taken the file's place since it was checked, and a pipe must not block.
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    throw new SourceNotReadableError(`source ${JSON.stringify(source)} cannot be opened`, { cause: error })
  }
  const stats = await handle.stat()
  if (stats.isFile()) return handle
  await handle.close()
  throw new SourceNotReadableError(`source ${JSON.stringify(source)} is not a regular file`)
}

async function readFrom(handle: FileHandle, label: string): Promise<OpenSource> {
  const { size } = await handle.stat()
  let isOpen = true
  return {
    label,
    size,
    chunks: readChunks(handle),
    async close() {
      if (!isOpen) return
      isOpen = false
      await handle.close()
    },
  }
}

async function* readChunks(handle: FileHandle): AsyncGenerator<Buffer> {
  // One buffer for all: the reader decodes a chunk before it asks for the next.
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

async function resolveLinks(file: string): Promise<string | undefined> {
  try {
    return await realpath(file)
  } catch {
    return undefined
  }
}

function contains(dir: string, file: string): boolean {
  const relative = path.relative(dir, file)
  return (
    relative !== '' &&
    relative !== '..' &&
    !relative.startsWith(`..${path.sep}`) &&
    !path.isAbsolute(relative)
  )
}

function notAllowed(source: string, allowedDirs: readonly string[]): SourceNotAllowedError {
  return new SourceNotAllowedError(
    `source ${JSON.stringify(source)} is outside of what reports may read: ${list(allowedDirs)}, http:// and https:// URLs`,
  )
}

function list(dirs: readonly string[]): string {
  return dirs.map((dir) => JSON.stringify(path.resolve(dir))).join(', ')
}
