import { isAscii, isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'

export type SourceEncoding = 'UTF-8' | 'UTF-16LE' | 'UTF-16BE' | 'Windows-1252'

const NOTHING = Buffer.alloc(0)

/**
 * Decodes bytes that come in pieces, by what they turn out to be.
 *
 * A byte order mark decides and is dropped. Without one it is UTF-8. Where the first piece that is not
 * plain ASCII is mostly not UTF-8 either, the whole source is read as Windows-1252 (Latin-1 and what Excel
 * adds to it), which says the same of what came before. Past that point, broken bytes become U+FFFD.
 */
export class SourceDecoder {
  #encoding: SourceEncoding = 'UTF-8'
  #decoder: TextDecoder | undefined
  #isFirst = true
  #isAscii = true
  #hasReplacements = false
  /** Start of a character whose end is in the next piece. */
  #rest: Buffer = NOTHING

  get encoding(): SourceEncoding {
    return this.#encoding
  }

  /** Whether bytes that are not UTF-8 were replaced by U+FFFD. */
  get hasReplacements(): boolean {
    return this.#hasReplacements
  }

  /** @param bytes - The first piece has at least the three bytes of a byte order mark, where there are so many. */
  write(bytes: Buffer): string {
    if (this.#isFirst) {
      this.#isFirst = false
      bytes = this.#readByteOrderMark(bytes)
    }
    if (this.#decoder !== undefined) return this.#decoder.decode(bytes, { stream: true })
    const pending = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const complete = pending.length - incompleteLength(pending)
    this.#rest = Buffer.from(pending.subarray(complete))
    return this.#decodeUtf8(pending.subarray(0, complete))
  }

  end(): string {
    if (this.#decoder !== undefined) return this.#decoder.decode()
    return this.#decodeUtf8(this.#rest)
  }

  #readByteOrderMark(bytes: Buffer): Buffer {
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return bytes.subarray(3)
    if (bytes[0] === 0xff && bytes[1] === 0xfe) this.#switchTo('UTF-16LE')
    else if (bytes[0] === 0xfe && bytes[1] === 0xff) this.#switchTo('UTF-16BE')
    return bytes
  }

  #switchTo(encoding: SourceEncoding): void {
    this.#encoding = encoding
    this.#decoder = new TextDecoder(encoding.toLowerCase())
  }

  #decodeUtf8(bytes: Buffer): string {
    if (this.#isAscii && isAscii(bytes)) return bytes.toString('latin1')
    if (isUtf8(bytes)) {
      this.#isAscii = false
      return bytes.toString('utf8')
    }
    const text = bytes.toString('utf8')
    if (this.#isAscii && isMostlyReplaced(text)) {
      this.#switchTo('Windows-1252')
      const decoded = this.#decoder?.decode(Buffer.concat([bytes, this.#rest]), { stream: true }) ?? ''
      this.#rest = NOTHING
      return decoded
    }
    this.#isAscii = false
    this.#hasReplacements = true
    return text
  }
}

/** How many bytes at the end begin a UTF-8 character that is not complete: 0 to 3. */
function incompleteLength(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return 0
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
      return length > back ? back : 0
    }
  }
  return 0
}

function isMostlyReplaced(text: string): boolean {
  let replaced = 0
  let kept = 0
  for (const character of text) {
    if (character === '\ufffd') replaced++
    else if (character > '\x7f') kept++
  }
  return replaced >= kept
}
