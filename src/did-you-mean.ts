/** The known name that was meant by `name`: the same but for case and underscores, or a few letters off. */
export function didYouMean(name: string, known: readonly string[]): string | undefined {
  const wanted = plain(name)
  const [best] = known
    .map((candidate) => ({ candidate, distance: editDistance(wanted, plain(candidate)) }))
    .sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= Math.max(1, wanted.length / 4) ? best.candidate : undefined
}

function plain(name: string): string {
  return name.replace(/[_\-.]/g, '').toLowerCase()
}

/** Levenshtein's: how many letters to put in, take out or change. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const changed = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(changed, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    previous = row
  }
  return previous[b.length] ?? 0
}
