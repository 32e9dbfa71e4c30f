import { hasColours } from '../has-colours.js'

type Painter = (text: string) => string

/** Colours a text that is printed, by what it says. */
export interface Paint {
  readonly good: Painter
  readonly bad: Painter
  readonly warning: Painter
  readonly heading: Painter
}

// Not styleText of node:util, which looks at the stream by itself in newer versions of Node.js only.
const coloured =
  (code: number, end: number): Painter =>
  (text) =>
    `\x1b[${code}m${text}\x1b[${end}m`

const COLOURS: Paint = {
  good: coloured(32, 39),
  bad: coloured(31, 39),
  warning: coloured(33, 39),
  heading: coloured(1, 22),
}

const plain: Painter = (text) => text
const NO_COLOURS: Paint = { good: plain, bad: plain, warning: plain, heading: plain }

/** For what goes to a stream. */
export function paintFor(stream: { readonly isTTY?: boolean }): Paint {
  return hasColours(stream) ? COLOURS : NO_COLOURS
}
