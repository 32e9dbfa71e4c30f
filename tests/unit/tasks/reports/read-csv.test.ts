import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { MalformedCsvError } from '../../../../src/tasks/reports/errors.js'
import { readCsv, type CsvFindings } from '../../../../src/tasks/reports/read-csv.js'

interface Case {
  readonly text: string
  readonly rows: string[][]
}

// Made by data/python-csv.py with Python 3.11.
const cases = JSON.parse(readFileSync(new URL('./data/python-csv.json', import.meta.url), 'utf8')) as Case[]

interface Read {
  readonly rows: string[][]
  readonly findings: CsvFindings
}

/** Long enough that what follows is decoded and parsed after the delimiter is known. */
const PADDING = 'plain,1\n'.repeat(10_000)

/** Reads `source` in pieces of a length, after `first` in one. */
async function read(source: Buffer | string, pieceLength = 256 * 1024, first = ''): Promise<Read> {
  const bytes = Buffer.from(source)
  const rows: string[][] = []
  // eslint-disable-next-line @typescript-eslint/require-await -- as the chunks of a source come
  async function* pieces(): AsyncGenerator<Buffer> {
    if (first !== '') yield Buffer.from(first)
    for (let start = 0; start < bytes.length; start += pieceLength) {
      // Overwritten after use, as a file's read buffer is.
      const piece = Buffer.from(bytes.subarray(start, start + pieceLength))
      yield piece
      piece.fill('#')
    }
  }
  const findings = await readCsv(pieces(), (cells) => rows.push(cells))
  return { rows, findings }
}

describe('readCsv', () => {
  it.each([
    ['a,b\n1,2\n', ['a', 'b']],
    ['a;b\n1,5;2,5\n', ['a', 'b']],
    ['a\tb\n1\t2\n', ['a', 'b']],
    ['a|b\n1|2\n', ['a', 'b']],
    ['"x;y;z",b\n"1;2;3",2\n', ['x;y;z', 'b']],
    ['only\n1\n', ['only']],
    ['a;b;c', ['a', 'b', 'c']],
  ])('finds the delimiter of %j', async (text, header) => {
    expect((await read(text)).rows[0]).toEqual(header)
  })

  it.each(['a,b\r1,"x\ry"\r', 'a,b\r\n1,"x\ry"\r\n', 'a,b\n1,"x\ry"\n', 'a,b\r\n\r\n1,"x\ry"\n\n'])(
    'ends records at the line ends of %j',
    async (text) => {
      for (let length = 1; length <= text.length; length++) {
        expect((await read(text, length)).rows).toEqual([
          ['a', 'b'],
          ['1', 'x\ry'],
        ])
      }
    },
  )

  it.each([1, 2, 3, 7, 1_000_000])('reads what Python wrote, in pieces of %i bytes', async (length) => {
    const { rows } = await read(cases.map(({ text }) => text).join(''), length, PADDING)
    expect(rows.slice(10_000)).toEqual(cases.flatMap((each) => each.rows))
  })

  it('gives rows of any length, with empty cells, and none for blank lines', async () => {
    expect((await read('a,b\n\n1\n,\n1,,3,\n\r\n')).rows).toEqual([
      ['a', 'b'],
      ['1'],
      ['', ''],
      ['1', '', '3', ''],
    ])
  })

  it.each([
    ['a quote that is never closed', 'a,b\n"x\r\ny",1\r\n\n2,"open\n3,4\n', 5, /never closed/],
    ['the same at the very end', 'a,b\n1,"', 2, /never closed/],
    ['text after a closing quote', 'a,b\n1,2\n"5" disk,3\n"x",4\n', 3, /after its closing quote/],
  ])('refuses %s, naming the line', async (_, text, line, message) => {
    for (const [length, first] of [[256 * 1024, ''] as const, [1, PADDING] as const]) {
      const reading = read(text, length, first)
      await expect(reading).rejects.toThrow(MalformedCsvError)
      await expect(reading).rejects.toThrow(message)
      await expect(reading).rejects.toThrow(`line ${line + (first === '' ? 0 : 10_000)}:`)
    }
  })

  it.each([
    ['a quote that is never closed', 'a,b\n1,"open\n', 'x,y\n'],
    ['a line that never ends', 'a,b\n', ',,,,'],
  ])('refuses %s rather than hold the file in memory', async (_, start, more) => {
    let given = 0
    // eslint-disable-next-line @typescript-eslint/require-await -- as the chunks of a source come
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from(start)
      for (; given < 1_000; given++) yield Buffer.from(more.repeat(16_384))
    }
    await expect(readCsv(endless(), () => undefined)).rejects.toThrow(/line 2: .* 1048576 characters/)
    expect(given).toBeLessThan(20)
  })

  it('reads a record of nearly a megabyte', async () => {
    const cell = 'x'.repeat(1_000_000)
    expect((await read(`a,b\n1,"${cell}"\n`)).rows[1]).toEqual(['1', cell])
  })

  it('throws on what its rows are refused with, and lets go of the source', async () => {
    let isClosed = false
    // eslint-disable-next-line @typescript-eslint/require-await -- as the chunks of a source come
    async function* chunks(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield Buffer.from(PADDING)
      } finally {
        isClosed = true
      }
    }
    const refusal = new Error('no such column')
    const reading = readCsv(chunks(), () => {
      throw refusal
    })
    await expect(reading).rejects.toBe(refusal)
    await expect.poll(() => isClosed).toBe(true)
  })

  it('throws on what the source breaks off with', async () => {
    const loss = new Error('connection lost')
    // eslint-disable-next-line @typescript-eslint/require-await -- as the chunks of a source come
    async function* chunks(): AsyncGenerator<Buffer> {
      yield Buffer.from(PADDING)
      throw loss
    }
    await expect(readCsv(chunks(), () => undefined)).rejects.toBe(loss)
  })

  it('drops the byte order mark of UTF-8', async () => {
    const { rows, findings } = await read(Buffer.from('\ufeffa,b\n1,2\n'))
    expect(rows[0]).toEqual(['a', 'b'])
    expect(findings.encoding).toBe('UTF-8')
  })

  it('keeps characters whose bytes come in two pieces', async () => {
    const text = `a,b\n${PADDING}Zürich 東京 🐦,2\n`
    const { rows } = await read(Buffer.from(text), 4_999)
    expect(rows.at(-1)).toEqual(['Zürich 東京 🐦', '2'])
    for (let length = 1; length < 8; length++) {
      expect((await read('é,ß\n東,🐦', length)).rows).toEqual([
        ['é', 'ß'],
        ['東', '🐦'],
      ])
    }
  })

  it.each([['utf-16le', 'UTF-16LE'] as const, ['utf-16be', 'UTF-16BE'] as const])(
    'reads %s',
    async (kind, encoding) => {
      const bytes = Buffer.from('\ufeffa\tb\nZürich\t2\n', 'utf16le')
      const { rows, findings } = await read(kind === 'utf-16le' ? bytes : bytes.swap16())
      expect(rows).toEqual([
        ['a', 'b'],
        ['Zürich', '2'],
      ])
      expect(findings.encoding).toBe(encoding)
    },
  )

  it('reads Windows-1252 where the bytes are not UTF-8', async () => {
    const { rows, findings } = await read(
      Buffer.concat([
        Buffer.from('city,price\nZ'),
        Buffer.from([0xfc]),
        Buffer.from('rich,\x80 5\n', 'latin1'),
      ]),
    )
    expect(rows[1]).toEqual(['Zürich', '€ 5'])
    expect(findings.encoding).toBe('Windows-1252')
  })

  it('reads Windows-1252 where the first such byte comes late', async () => {
    const { rows, findings } = await read(Buffer.from(`a,b\n${PADDING}Zürich,2\nGenève,3\n`, 'latin1'), 4_999)
    expect(rows.slice(-2)).toEqual([
      ['Zürich', '2'],
      ['Genève', '3'],
    ])
    expect(findings.encoding).toBe('Windows-1252')
  })

  it('stays with UTF-8 for one broken byte, and says so', async () => {
    const { rows, findings } = await read(
      Buffer.concat([Buffer.from('é,東京\nü,'), Buffer.from([0xff]), Buffer.from('\n')]),
    )
    expect(rows).toEqual([
      ['é', '東京'],
      ['ü', '\ufffd'],
    ])
    expect(findings.hasReplacements).toBe(true)
    expect(findings.encoding).toBe('UTF-8')
  })

  it.each([
    ['an Excel workbook', [0x50, 0x4b, 0x03, 0x04, 0x14], /Excel/],
    ['a gzip file', [0x1f, 0x8b, 0x08, 0x00], /gzip/],
    ['another binary file', [0x61, 0x00, 0x01, 0x02], /NUL/],
  ])('refuses %s', async (_, bytes, message) => {
    const reading = read(Buffer.from(bytes))
    await expect(reading).rejects.toThrow(MalformedCsvError)
    await expect(reading).rejects.toThrow(message)
  })
})
