/**
 * Finding one's way in a JSON text without decoding it, so that a message can be changed in one place and
 * stay the same, byte by byte, everywhere else. Positions are indexes into the text; -1 means that the text
 * is no JSON there.
 */

/** From the first character of a member's value to the one after its last. */
export interface Span {
  readonly start: number
  readonly end: number
}

const SPACE = 32
const QUOTE = 34
const COMMA = 44
const COLON = 58
const OPEN_BRACKET = 91
const BACKSLASH = 92
const CLOSE_BRACKET = 93
const OPEN_BRACE = 123
const CLOSE_BRACE = 125

/** The first position at or after `at` that is no white space. */
export function skipSpace(text: string, at: number): number {
  let position = at
  for (;;) {
    const code = text.charCodeAt(position)
    if (code !== SPACE && code !== 10 && code !== 13 && code !== 9) return position
    position++
  }
}

/** The position after the string that starts with the quote at `at`. */
export function skipString(text: string, at: number): number {
  let quote = text.indexOf('"', at + 1)
  while (quote !== -1) {
    let backslashes = 0
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return quote + 1
    quote = text.indexOf('"', quote + 1)
  }
  return -1
}

/** The position after the value that starts at `at`, however deeply nested. */
export function skipValue(text: string, at: number): number {
  const first = text.charCodeAt(at)
  if (first === QUOTE) return skipString(text, at)
  if (!isOpening(first)) return skipWord(text, at)
  let depth = 0
  let position = at
  while (position < text.length) {
    const code = text.charCodeAt(position)
    if (code === QUOTE) {
      position = skipString(text, position)
      if (position === -1) return -1
      continue
    }
    position++
    if (isOpening(code)) depth++
    else if (isClosing(code) && --depth === 0) return position
  }
  return -1
}

/** The position after a number or a word such as `null`. */
function skipWord(text: string, at: number): number {
  let position = at
  while (position < text.length) {
    const code = text.charCodeAt(position)
    if (code === COMMA || isClosing(code) || code <= SPACE) break
    position++
  }
  return position > at ? position : -1
}

function isOpening(code: number): boolean {
  return code === OPEN_BRACE || code === OPEN_BRACKET
}

function isClosing(code: number): boolean {
  return code === CLOSE_BRACE || code === CLOSE_BRACKET
}

/**
 * Where the values of these members of the object at `at` are; of a repeated name the last, as every JSON
 * reader takes it.
 *
 * @param at - Position of the opening brace.
 * @returns Undefined where the text is no object; otherwise a map without the members that are missing.
 */
export function findMembers(
  text: string,
  at: number,
  names: readonly string[],
): ReadonlyMap<string, Span> | undefined {
  const found = new Map<string, Span>()
  if (text[at] !== '{') return undefined
  let position = skipSpace(text, at + 1)
  if (text[position] === '}') return found
  for (;;) {
    if (text.charCodeAt(position) !== QUOTE) return undefined
    const keyEnd = skipString(text, position)
    if (keyEnd === -1) return undefined
    const key = memberName(text, position, keyEnd)
    position = skipSpace(text, keyEnd)
    if (text.charCodeAt(position) !== COLON) return undefined
    const start = skipSpace(text, position + 1)
    const end = skipValue(text, start)
    if (end === -1) return undefined
    if (key !== undefined && names.includes(key)) found.set(key, { start, end })
    position = skipSpace(text, end)
    if (text[position] === '}') return found
    if (text.charCodeAt(position) !== COMMA) return undefined
    position = skipSpace(text, position + 1)
  }
}

function memberName(text: string, start: number, end: number): string | undefined {
  const raw = text.slice(start + 1, end - 1)
  if (!raw.includes('\\')) return raw
  try {
    return JSON.parse(text.slice(start, end)) as string
  } catch {
    return undefined
  }
}
