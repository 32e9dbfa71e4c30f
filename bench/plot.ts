export interface Bar {
  readonly label: string
  readonly value: number
}

const WIDTH = 640
const LABEL_WIDTH = 190
const VALUE_WIDTH = 90
const ROW = 28
const TOP = 44

/** Horizontal bars from zero, as an SVG document that reads on light and dark pages. */
export function barPlot(title: string, unit: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE)
  const height = TOP + bars.length * ROW + 12
  const rows = bars.flatMap(({ label, value }, i) => {
    const y = TOP + i * ROW
    const width = (value / most) * (WIDTH - LABEL_WIDTH - VALUE_WIDTH)
    const shown = Math.round(value).toLocaleString('en-US')
    return [
      `<text x="${LABEL_WIDTH - 10}" y="${y + 15}" text-anchor="end">${escaped(label)}</text>`,
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 8}" fill="#2f6f4f"/>`,
      `<text x="${(LABEL_WIDTH + width + 8).toFixed(1)}" y="${y + 15}">${shown}</text>`,
    ]
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`,
    '  font-family="sans-serif" font-size="13">',
    `<title>${escaped(title)}</title>`,
    '<rect width="100%" height="100%" fill="#ffffff"/>',
    `<g fill="#222222"><text x="12" y="24" font-weight="bold">${escaped(`${title}, ${unit}`)}</text>`,
    ...rows,
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
