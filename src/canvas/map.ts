import { InvalidSignatureError } from './errors.js'
import { groupData, taskData, type SignatureData } from './signature-data.js'

/** Call a task with each item in turn, in one process; the result is the list of results (section 12.7). */
export function mapData(task: SignatureData, items: Iterable<unknown>): SignatureData {
  return taskData('celery.map', { kwargs: { task, it: [...items] }, immutable: true })
}

/** The same, where each item is a list of arguments. */
export function starmapData(task: SignatureData, items: Iterable<readonly unknown[]>): SignatureData {
  return taskData('celery.starmap', { kwargs: { task, it: [...items] }, immutable: true })
}

/**
 * A starmap in parts of so many items, which run at the same time.
 *
 * @throws InvalidSignatureError where the size is no positive integer.
 */
export function chunksData(
  task: SignatureData,
  items: Iterable<readonly unknown[]>,
  size: number,
): SignatureData {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new InvalidSignatureError(
      `chunks of ${task.task}: expected a size of 1 or more, got ${String(size)}`,
    )
  }
  return taskData('celery.chunks', { kwargs: { task, it: [...items], n: size }, immutable: true })
}

/** A part of something larger, in which chunks are the group that they stand for. */
export function unchunked(part: SignatureData): SignatureData {
  return part.task === 'celery.chunks' ? expandChunks(part) : part
}

/** The group that chunks stand for. */
export function expandChunks({ kwargs, options }: SignatureData): SignatureData {
  const { task, it, n } = kwargs as { task: SignatureData; it: readonly (readonly unknown[])[]; n: number }
  const parts: SignatureData[] = []
  for (let first = 0; first < it.length; first += n) parts.push(starmapData(task, it.slice(first, first + n)))
  return groupData(parts, options)
}
