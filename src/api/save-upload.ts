import { ApiError, invalidRequest, type Fault } from './api-error.js'
import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { randomUUID } from 'node:crypto'
import type { FastifyRequest } from 'fastify'

/** A form's file, which is on disk, and its other fields. */
export interface SavedUpload {
  readonly file: string
  readonly fields: Readonly<Record<string, unknown>>
  discard(): Promise<void>
}

/** Most bytes of an uploaded CSV. */
export const MOST_UPLOAD_BYTES = 10 * 1024 ** 2

/**
 * Read a form with one file, `file`, into `directory`, which is created where missing. The file keeps its name, in
 * a folder of its own, so that the report can say of what it is. Nothing is left there when it throws.
 *
 * @throws ApiError 400 for a form without the file, with two, or with a field given twice; 413 for too large a one.
 */
export async function saveUpload(request: FastifyRequest, directory: string): Promise<SavedUpload> {
  const folder = path.join(directory, randomUUID())
  const discard = (): Promise<void> => rm(folder, { recursive: true, force: true })
  const fields: Record<string, unknown> = {}
  const faults: Fault[] = []
  let file: string | undefined
  try {
    for await (const part of request.parts()) {
      const { fieldname: name } = part
      if (part.type === 'file') {
        if (name === 'file' && file === undefined) {
          file = path.join(folder, safeName(part.filename))
          await mkdir(folder, { recursive: true })
          await pipeline(part.file, createWriteStream(file, { mode: 0o600 }))
          if (part.file.truncated) throw tooLarge()
        } else {
          part.file.resume()
          faults.push({
            path: `body.${name}`,
            message: file !== undefined ? 'only one file is taken' : 'unknown file; call it file',
          })
        }
      } else if (Object.hasOwn(fields, name)) {
        faults.push({ path: `body.${name}`, message: 'given twice' })
      } else {
        fields[name] = part.value
      }
    }
    if (file === undefined) faults.push({ path: 'body.file', message: 'expected a CSV file' })
    if (file === undefined || faults.length > 0) throw invalidRequest(faults)
    return { file, fields, discard }
  } catch (error) {
    await discard()
    throw error
  }
}

/** What people call the file, short and without what could be a path or upset a terminal or a shell. */
function safeName(filename: string): string {
  const { name, ext } = path.parse(path.win32.basename(filename))
  const safe = (text: string, length: number): string =>
    [...text.replace(/[^\p{L}\p{M}\p{N} ._()-]/gu, '_')].slice(0, length).join('')
  return `${safe(name, 50).replace(/^[. -]+/, '') || 'upload'}${safe(ext, 10) || '.csv'}`
}

function tooLarge(): ApiError {
  return new ApiError(413, 'BODY_TOO_LARGE', `the file has more than ${MOST_UPLOAD_BYTES} bytes`)
}
