import { describeValue } from '../errors.js'
import { InvalidSignatureError } from './errors.js'
import { chordData, isGroup, tasksOf, type SignatureData } from './signature-data.js'
import { unchunked } from './map.js'
import { createSignature, ownerOf, signatureData } from './signature.js'
import type {
  AcceptedBy,
  AnySignature,
  GroupHandle,
  HandleOf,
  ResultOf,
  ResultsOf,
  Signature,
} from './signature-types.js'

/**
 * Run a header at the same time, and a body with the list of its results when all of it has succeeded. Where a part
 * fails, the body does not run: its result is a `ChordError`, and its errbacks are called.
 *
 * @param header - a group, or a list of signatures. Where it is empty, the body runs at once with an empty list.
 * @throws InvalidSignatureError for what is no signature, and without a body.
 */
export function chord<H extends Signature<never, unknown, GroupHandle<unknown>>, B extends AnySignature>(
  header: H,
  body: B & BodyFor<ResultOf<H>, B>,
): Signature<AcceptedBy<H>, ResultOf<B>, HandleOf<B>>
export function chord<const S extends readonly AnySignature[], B extends AnySignature>(
  header: S,
  body: B & BodyFor<ResultsOf<S>, B>,
): Signature<AcceptedBy<S[number]>, ResultOf<B>, HandleOf<B>>
export function chord(header: unknown, body: unknown): Signature {
  if (body === undefined || body === null) {
    throw new InvalidSignatureError(`chord: expected a signature as its body, got ${describeValue(body)}`)
  }
  const members = Array.isArray(header) ? (header as readonly unknown[]) : [header]
  return createSignature(
    chordData(headerData(header), unchunked(signatureData(body, 'chord: body'))),
    ownerOf([...members, body]),
  )
}

type BodyFor<Results, B> = unknown extends Results ? B : Signature<Results, unknown, unknown>

function headerData(header: unknown): readonly SignatureData[] {
  if (Array.isArray(header))
    return header.map((member, i) => unchunked(signatureData(member, `chord: member ${i + 1} of the header`)))
  const data = unchunked(signatureData(header, 'chord: header'))
  return isGroup(data) ? tasksOf(data) : [data]
}
