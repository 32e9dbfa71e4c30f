import { decode, encode } from '@msgpack/msgpack'
import { UndecodableBodyError } from './errors.js'
import { toPlainTree } from './plain-tree.js'
import { formatInstant } from './time.js'
import { MAX_DEPTH } from './value-fold.js'

const MIN_INT64 = -(2n ** 63n)
const MAX_UINT64 = 2n ** 64n - 1n
const MAX_UINT32 = 2 ** 32 - 1
const MIN_INT32 = -(2 ** 31)

/**
 * Write msgpack as Python's reads it: text as str, bytes as bin. Python's msgpack knows no dates, so they are
 * ISO 8601 text.
 *
 * @throws {@link EncodeError}
 */
export function encodeMsgpack(value: unknown): Uint8Array {
  const tree = toPlainTree(value, {
    date: formatInstant,
    integer(integer, refuse) {
      if (integer < MIN_INT64 || integer > MAX_UINT64) refuse(`is ${integer}: msgpack has 64 bits`)
      return integer
    },
    // In 64-bit mode the library takes long integers as bigint only, and writes long numbers as floats.
    number: (number) =>
      Number.isSafeInteger(number) && (number > MAX_UINT32 || number < MIN_INT32) ? BigInt(number) : number,
  })
  // Arrays and objects count as one level each here and two there.
  return encode(tree, { useBigInt64: true, maxDepth: 2 * MAX_DEPTH + 2 })
}

/**
 * Read msgpack; integers beyond 2^53 become bigint.
 *
 * @throws {@link UndecodableBodyError}
 */
export function decodeMsgpack(payload: Uint8Array): unknown {
  try {
    return narrowIntegers(decode(payload, { useBigInt64: true }), 0)
  } catch (error) {
    throw new UndecodableBodyError(`the body is no msgpack: ${(error as Error).message}`, { cause: error })
  }
}

/** Bigint only where a number would not do, as JSON has it. */
function narrowIntegers(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }
  if (typeof value !== 'object' || value === null) return value
  if (depth > MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`)
  if (Array.isArray(value)) return value.map((item) => narrowIntegers(item, depth + 1))
  if (value instanceof Uint8Array || value instanceof Date) return value
  const object = value as Record<string, unknown>
  for (const key of Object.keys(object)) object[key] = narrowIntegers(object[key], depth + 1)
  return object
}
