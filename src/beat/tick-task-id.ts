import { createHash } from 'node:crypto'

/** Sets these ids apart from other name-based ones; chosen at random, once. */
const NAMESPACE = '5d0c6a3f-2f0e-4a53-9f0c-6f9b0f6c1c84'

/**
 * The id of the task that an entry sends for one due time: a name-based UUID (RFC 9562, version 5).
 *
 * The same tick has the same id wherever and whenever it is sent, so that a message that a crash made beat
 * send again can be recognised, and its result is stored in the same place.
 */
export function tickTaskId(entryName: string, dueAt: Date): string {
  const digest = createHash('sha1')
    .update(Buffer.from(NAMESPACE.replaceAll('-', ''), 'hex'))
    .update(`${dueAt.toISOString()} ${entryName}`)
    .digest()
    .subarray(0, 16)
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80
  return digest.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
