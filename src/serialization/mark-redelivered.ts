import { BadEnvelopeError } from './errors.js'
import { findMembers, skipSpace } from './json-scanner.js'

/**
 * Set `headers.redelivered` and `properties.delivery_info.redelivered` to true in an envelope that goes back to
 * its queue (wire protocol, section 7.3). Every other character stays as it is, big integers and unknown members
 * included. Where `headers` or `delivery_info` is missing or null, that flag is not set.
 *
 * @throws {@link BadEnvelopeError} when the text is no JSON object.
 */
export function markRedelivered(text: string): string {
  const start = skipSpace(text, 0)
  const envelope = findMembers(text, start, ['headers', 'properties'])
  if (envelope === undefined) throw new BadEnvelopeError('the message is no JSON object')
  const headers = envelope.get('headers')
  const properties = envelope.get('properties')
  const info =
    properties === undefined
      ? undefined
      : findMembers(text, properties.start, ['delivery_info'])?.get('delivery_info')
  const edits = [headers, info]
    .map((span) => (span === undefined ? undefined : redeliveredEdit(text, span.start, span.end)))
    .filter((edit) => edit !== undefined)
    // The last one first, so that the positions of the others stay right.
    .sort((a, b) => b.start - a.start)
  return edits.reduce(
    (marked, edit) => marked.slice(0, edit.start) + edit.text + marked.slice(edit.end),
    text,
  )
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** @returns Undefined where the value is no object. */
function redeliveredEdit(text: string, start: number, end: number): Edit | undefined {
  const members = findMembers(text, start, ['redelivered'])
  if (members === undefined) return undefined
  const present = members.get('redelivered')
  if (present !== undefined) return { ...present, text: 'true' }
  const isEmpty = text[skipSpace(text, start + 1)] === '}'
  return { start: end - 1, end: end - 1, text: `${isEmpty ? '' : ', '}"redelivered": true` }
}
