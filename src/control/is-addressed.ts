import { globMatcher } from '../glob.js'
import { BadControlMessageError, type Addressees } from './messages.js'

/** Longer ones are no names of nodes any more. */
const LONGEST_PATTERN = 1000

/**
 * Whether a request is for this node: `destination` comes first, then `pattern` with `matcher`; else it is for all (wire
 * protocol, section 15.2).
 *
 * @throws BadControlMessageError for a pattern that is none.
 */
export function isAddressed({ destination, pattern, matcher }: Addressees, node: string): boolean {
  if (destination !== undefined) return destination.includes(node)
  if (pattern === undefined || matcher === undefined) return true
  if (pattern.length > LONGEST_PATTERN) {
    throw new BadControlMessageError(`a pattern of ${pattern.length} characters is too long`)
  }
  if (matcher === 'glob') return globMatcher(pattern)(node)
  if (matcher === 'pcre') return regularExpression(pattern).test(node)
  throw new BadControlMessageError(`expected the matcher glob or pcre, got ${JSON.stringify(matcher)}`)
}

/** Anchored at the start only, as Python's `re.match`. */
function regularExpression(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})`)
  } catch (error) {
    throw new BadControlMessageError(`the pattern ${JSON.stringify(pattern)} is no regular expression`, {
      cause: error,
    })
  }
}
