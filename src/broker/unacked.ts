/**
 * The records of the `unacked` hash: `[envelope, exchange, routing key]` as JSON text (wire protocol, section
 * 7.1). They are taken apart as text, since parsing and writing again would round large integers.
 */
export interface UnackedRecord {
  readonly envelope: string
  readonly exchange: string
  readonly routingKey: string
}

/** Undefined for a text that is no such record; it may be somebody else's, so leave it where it is. */
export function readUnackedRecord(text: string): UnackedRecord | undefined {
  const start = text.indexOf('{')
  if (start < 0 || text.slice(0, start).trim() !== '[') return undefined
  const end = endOfObject(text, start)
  if (end === undefined) return undefined
  try {
    const rest: unknown = JSON.parse(`[null${text.slice(end)}`)
    if (!Array.isArray(rest)) return undefined
    const [, exchange, routingKey] = rest as unknown[]
    if (typeof exchange !== 'string' || typeof routingKey !== 'string') return undefined
    return { envelope: text.slice(start, end), exchange, routingKey }
  } catch {
    return undefined
  }
}

/** Index behind the `}` that closes the object starting at `start`; undefined where nothing closes it. */
function endOfObject(text: string, start: number): number | undefined {
  let depth = 0
  for (let i = start; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: {
        const end = endOfString(text, i)
        if (end === undefined) return undefined
        i = end
        break
      }
      case 0x7b:
      case 0x5b:
        depth++
        break
      case 0x7d:
      case 0x5d:
        if (--depth === 0) return i + 1
        break
    }
  }
  return undefined
}

/** Index of the quote that closes the string starting at `start`; jumps, since bodies are long. */
function endOfString(text: string, start: number): number | undefined {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return end
  }
  return undefined
}
