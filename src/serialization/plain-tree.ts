import { foldValue, type Refuse } from './value-fold.js'

/** What one library needs to be told; everything else is plain data already. */
export interface TreeRules {
  readonly date: (date: Date) => unknown
  readonly integer: (integer: bigint, refuse: Refuse) => unknown
  readonly number: (number: number) => unknown
}

/**
 * A value as lists, objects, text, numbers, booleans, null and bytes, for the libraries of the serializers
 * other than JSON. {@link Decimal} and {@link Uuid} become text: their formats have no such types.
 *
 * @throws {@link EncodeError}
 */
export function toPlainTree(value: unknown, rules: TreeRules): unknown {
  return foldValue<unknown>(
    value,
    {
      leaf(leaf, refuse) {
        if (typeof leaf === 'bigint') return rules.integer(leaf, refuse)
        if (typeof leaf === 'number') return rules.number(leaf)
        if (typeof leaf !== 'object' || leaf === null || leaf instanceof Uint8Array) return leaf
        if (leaf instanceof Date) return rules.date(leaf)
        return leaf.toString()
      },
      list: (items) => items,
      object: (keys, members) => Object.fromEntries(keys.map((key, index) => [key, members[index]])),
    },
    '',
  )
}
