import { didYouMean } from '../../did-you-mean.js'

/** How many names a message lists before it says how many more there are. */
const LISTED_NAMES = 30

/** Lists `names` for a message, led by the one that `wanted` is probably a slip of. */
export function describeChoices(wanted: string, names: readonly string[]): string {
  const listed = names.slice(0, LISTED_NAMES).map((name) => JSON.stringify(name))
  if (names.length > LISTED_NAMES) listed.push(`${names.length - LISTED_NAMES} more`)
  const closest = didYouMean(wanted, names)
  return `${listed.join(', ')}${closest === undefined ? '' : `; did you mean ${JSON.stringify(closest)}?`}`
}
