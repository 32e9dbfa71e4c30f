/** How many names a message lists before it says how many more there are. */
const LISTED_NAMES = 30

/** Lists `names` for a message, led by the one that `wanted` is probably a slip of. */
export function describeChoices(wanted: string, names: readonly string[]): string {
  const listed = names.slice(0, LISTED_NAMES).map((name) => JSON.stringify(name))
  if (names.length > LISTED_NAMES) listed.push(`${names.length - LISTED_NAMES} more`)
  const closest = closestName(wanted, names)
  return `${listed.join(', ')}${closest === undefined ? '' : `; did you mean ${JSON.stringify(closest)}?`}`
}

/** The name with the fewest edits from `wanted`, case aside; `undefined` where none is near. */
export function closestName(wanted: string, names: readonly string[]): string | undefined {
  const target = wanted.trim().toLowerCase()
  let closest: string | undefined
  let fewest = Math.floor(Math.max(target.length, 3) / 3) + 1
  for (const name of names) {
    const edits = editDistance(target, name.trim().toLowerCase())
    if (edits < fewest) {
      fewest = edits
      closest = name
    }
  }
  return closest
}

/** Levenshtein's distance: insertions, deletions and replacements that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
