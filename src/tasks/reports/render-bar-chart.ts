import { escapeHtml } from './escape-html.js'
import { decimalsFor, formatNumber } from './format-number.js'

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

const MOST_BARS = 30
const LONGEST_LABEL = 34
/** Label and value share a line; this many characters fit on a phone. */
const LINE_LENGTH = 36
const SHORTEST_LABEL = 12
/** Pixels from one bar to the next: a line of text above the bar itself. */
const BAR_STEP = 39
const TEXT_BASELINE = 13
const BAR_TOP = 19
const BAR_HEIGHT = 10

export interface Bar {
  readonly label: string
  readonly value: number | null
}

export interface BarChart {
  /** Unique within the page. */
  readonly id: string
  readonly title: string
  readonly bars: readonly Bar[]
}

/**
 * A horizontal bar chart as inline SVG: each bar below its label and value, from a common zero, to the
 * left of it where negative. Widths are percentages, so it fits any screen with its text unscaled.
 */
export function renderBarChart({ id, title, bars }: BarChart): string {
  const shown = bars.slice(0, MOST_BARS)
  const values = shown.map(({ value }) => value ?? 0)
  const decimals = decimalsFor(shown.map(({ value }) => value))
  const texts = shown.map(({ value }) => formatNumber(value, decimals))
  const room = LINE_LENGTH - Math.max(0, ...texts.map((text) => text.length))
  const labelWidth = Math.min(Math.max(room, SHORTEST_LABEL), LONGEST_LABEL)
  const low = Math.min(0, ...values)
  const high = Math.max(0, ...values)
  const extent = high - low || 1
  const position = (value: number): number => ((value - low) / extent) * 100
  const height = shown.length * BAR_STEP

  const marks = shown.map(({ label, value }, index) => {
    const top = index * BAR_STEP
    const text = texts[index] ?? ''
    const start = position(Math.min(value ?? 0, 0))
    const length = position(Math.max(value ?? 0, 0)) - start
    const sign = value !== null && value < 0 ? 'bar negative' : 'bar'
    return [
      `<g><title>${escapeHtml(label)}: ${text}</title>`,
      `<text x="0" y="${top + TEXT_BASELINE}" class="label">${escapeHtml(cut(label, labelWidth))}</text>`,
      `<text x="100%" y="${top + TEXT_BASELINE}" class="value" text-anchor="end">${text}</text>`,
      `<rect class="track" x="0" y="${top + BAR_TOP}" width="100%" height="${BAR_HEIGHT}" rx="3"/>`,
      value === null || value === 0
        ? ''
        : `<rect class="${sign}" x="${percent(start)}" y="${top + BAR_TOP}" width="${percent(Math.max(length, 0.4))}" height="${BAR_HEIGHT}" rx="3"/>`,
      low < 0
        ? `<line class="zero" x1="${percent(position(0))}" x2="${percent(position(0))}" y1="${top + BAR_TOP - 3}" y2="${top + BAR_TOP + BAR_HEIGHT + 3}"/>`
        : '',
      `</g>`,
    ].join('')
  })
  const rest = bars.length - shown.length
  return [
    `<figure><figcaption>${escapeHtml(title)}</figcaption>`,
    `<svg role="img" aria-labelledby="${id}-title ${id}-desc" width="100%" height="${height}">`,
    `<title id="${id}-title">${escapeHtml(title)}</title>`,
    `<desc id="${id}-desc">${escapeHtml(describe(shown.map(({ label }, index) => `${label}: ${texts[index] ?? ''}`)))}</desc>`,
    ...marks,
    `</svg>`,
    rest > 0 ? `<p class="more">and ${rest} more in the table</p>` : '',
    `</figure>`,
  ].join('\n')
}

function describe(bars: readonly string[]): string {
  return `Bar chart. ${bars.join('; ')}.`
}

/**
 * Cut by characters as people count them, never through one.
 *
 * @param width - In narrow characters; those from Hangul on in Unicode's order are taken to be twice as wide.
 */
function cut(label: string, width: number): string {
  let kept = ''
  let left = width
  for (const { segment } of graphemes.segment(label.replace(/\s+/g, ' '))) {
    left -= (segment.codePointAt(0) ?? 0) >= 0x1100 ? 2 : 1
    if (left < 0) return `${kept.trimEnd()}…`
    kept += segment
  }
  return kept
}

function percent(value: number): string {
  return `${Number(value.toFixed(3))}%`
}
