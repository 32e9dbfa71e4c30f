import { Readable } from 'node:stream'
import Papa, { type ParseError, type ParseResult } from 'papaparse'
import { MalformedCsvError } from './errors.js'
import { SourceDecoder, type SourceEncoding } from './source-decoder.js'

/** How much of the source is looked at before its delimiter is decided. */
const HEAD_BYTES = 64 * 1024

/** Longest record, in characters, that is held in memory: past it a quote was opened and never closed. */
const LONGEST_RECORD = 1024 * 1024

/** In order of preference where two fit as well. */
const DELIMITERS = [',', ';', '\t', '|']

/** Files that people upload for a CSV, by their first bytes. */
const SIGNATURES: readonly (readonly [kind: string, bytes: readonly number[]])[] = [
  ['a zip archive or Excel workbook (.xlsx): save it as CSV', [0x50, 0x4b, 0x03, 0x04]],
  ['an old Excel workbook (.xls): save it as CSV', [0xd0, 0xcf, 0x11, 0xe0]],
  ['compressed with gzip: unpack it', [0x1f, 0x8b]],
  ['a PDF', [0x25, 0x50, 0x44, 0x46]],
]

export interface CsvFindings {
  readonly encoding: SourceEncoding
  /** Whether bytes that are not UTF-8 were replaced by U+FFFD. */
  readonly hasReplacements: boolean
}

/**
 * Turn the bytes of a CSV source into rows, finding out its encoding and delimiter by itself. A few chunks
 * are in memory at a time. Blank lines are no rows.
 *
 * @param chunks - Each may be overwritten once the next is asked for. What they throw is thrown on.
 * @param onRow - Gets each row's cells, the header first. They may be slices of a large text: copy what is
 * kept. What it throws ends the reading and is thrown on.
 * @throws {@link MalformedCsvError} naming the line where the record begins that cannot be read.
 */
export async function readCsv(
  chunks: AsyncIterable<Buffer>,
  onRow: (cells: string[]) => void,
): Promise<CsvFindings> {
  const decoder = new SourceDecoder()
  const texts = decode(chunks, decoder)
  const { value: head = '' } = await texts.next()
  const dialect = detectDialect(head)

  let charactersGiven = 0
  let line = 1
  function takeRows({ data, errors, meta }: ParseResult<string[]>): void {
    // May be of the row after these, whose rest is still to come: then it is told again with that.
    const [fault] = errors
    for (const [index, cells] of data.entries()) {
      if (index === fault?.row) throw new MalformedCsvError(`line ${line}: ${describeFault(fault)}`)
      line += 1 + lineEndsWithin(cells, dialect.newline)
      if (dialect.newline === '\n') dropCarriageReturn(cells)
      if (cells.length > 1 || cells[0] !== '') onRow(cells)
    }
    if (charactersGiven - meta.cursor > LONGEST_RECORD) {
      throw new MalformedCsvError(
        `line ${line}: the record that begins there is longer than ${LONGEST_RECORD} characters: a quote in it is opened and never closed, or this is no CSV`,
      )
    }
  }

  const source = Readable.from(startingWith(head, texts), { highWaterMark: 1 })
  // Before the parser listens, so that the text it is about to take is counted and none that waits.
  source.on('data', (text: string) => {
    charactersGiven += text.length
  })
  try {
    await new Promise<void>((resolve, reject) => {
      const complete = (): void => {
        resolve()
      }
      Papa.parse<string[]>(source, { ...dialect, chunk: takeRows, complete, error: reject })
    })
  } finally {
    source.destroy()
  }
  return { encoding: decoder.encoding, hasReplacements: decoder.hasReplacements }
}

async function* startingWith<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first
  yield* rest
}

/** Text of the chunks; the first piece is the head, which tells what the source is. */
async function* decode(chunks: AsyncIterable<Buffer>, decoder: SourceDecoder): AsyncGenerator<string, void> {
  let head: Buffer | undefined = Buffer.alloc(0)
  for await (const chunk of chunks) {
    if (head === undefined) {
      yield decoder.write(chunk)
      continue
    }
    head = Buffer.concat([head, chunk])
    if (head.length < HEAD_BYTES) continue
    yield decodeHead(head, decoder)
    head = undefined
  }
  if (head !== undefined) yield decodeHead(head, decoder)
  yield decoder.end()
}

function decodeHead(bytes: Buffer, decoder: SourceDecoder): string {
  const signature = SIGNATURES.find(([, start]) => start.every((byte, index) => bytes[index] === byte))
  if (signature !== undefined) throw new MalformedCsvError(`the source is no CSV but ${signature[0]}`)
  const text = decoder.write(bytes)
  if (text.includes('\0'))
    throw new MalformedCsvError('the source is no CSV: it has NUL characters, as binary files do')
  return text
}

/** With the newline `\n`, a carriage return before it belongs to it: files mix both ends. */
function detectDialect(head: string): { delimiter: string; newline: '\n' | '\r' } {
  const newline = !head.includes('\n') && head.includes('\r') ? '\r' : '\n'
  const { meta } = Papa.parse(head, {
    newline,
    delimitersToGuess: DELIMITERS,
    skipEmptyLines: true,
    preview: 1,
  })
  return { delimiter: meta.delimiter, newline }
}

function lineEndsWithin(cells: readonly string[], newline: string): number {
  let lineEnds = 0
  for (const cell of cells) {
    if (cell.includes(newline)) lineEnds += cell.split(newline).length - 1
  }
  return lineEnds
}

function dropCarriageReturn(cells: string[]): void {
  const last = cells.at(-1)
  if (last?.endsWith('\r') === true) cells[cells.length - 1] = last.slice(0, -1)
}

function describeFault({ code }: ParseError): string {
  return code === 'MissingQuotes'
    ? 'in the record that begins there a quote is opened and never closed'
    : 'in the record that begins there a quoted cell goes on after its closing quote: close it, or double the quotes within it'
}
