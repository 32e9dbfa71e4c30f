/** What the compiler knows of signatures: which result may come before, and which comes out. Nothing here is ever run. */
import type { GroupResult } from '../results/group-result.js'
import type { Signature } from './signature.js'

/** Any signature, whatever it accepts and returns. */
export type AnySignature = Signature<never, unknown, unknown>

/** What a signature returns. */
export type ResultOf<S> = S extends Signature<never, infer Result, unknown> ? Result : never

/** What applying a signature gives: an AsyncResult, or a GroupResult. */
export type HandleOf<S> = S extends Signature<never, unknown, infer Handle> ? Handle : never

/** What a signature accepts from a predecessor; of several, what all of them do. */
export type AcceptedBy<S> = [S] extends [Signature<infer Previous, unknown, unknown>] ? Previous : never

/** The arguments that a partial call may give: all of them, or all but the first ones. */
export type LastOf<Args extends readonly unknown[]> = Args extends readonly [unknown, ...infer Rest]
  ? Args | LastOf<Rest>
  : Args

/** What a predecessor's result has to be to go in front of the given arguments; never where there is no room. */
export type RoomFor<Args extends readonly unknown[], Given extends readonly unknown[]> =
  Required<Args> extends readonly [infer First, ...infer _Rest]
    ? Given extends Tail<Args>
      ? First
      : never
    : Args[number]

type Tail<Args extends readonly unknown[]> = Args extends readonly [_?: unknown, ...rest: infer Rest]
  ? Rest
  : never

/** The steps of a chain, each of which accepts what the one before returns. A list of unknown length is not checked. */
export type Steps<S extends readonly AnySignature[]> = number extends S['length']
  ? S
  : {
      readonly [I in keyof S]: Step<
        I extends keyof S ? [AnySignature, ...S][I & keyof [AnySignature, ...S]] : never,
        S[I],
        I
      >
    }

type Step<Before, This, I> = I extends '0'
  ? This
  : unknown extends PassedOn<Before>
    ? This
    : This extends Signature<PassedOn<Before>, unknown, unknown>
      ? This
      : Signature<PassedOn<Before>, unknown, unknown>

/** In a chain a group of one is that one, and an empty group passes on what came before it. */
type PassedOn<S> =
  S extends Signature<never, infer Results, GroupHandle<unknown>>
    ? Results extends readonly []
      ? unknown
      : Results extends readonly [infer Only]
        ? Only
        : Results
    : ResultOf<S>

export type First<S extends readonly unknown[]> = S extends readonly [infer F, ...unknown[]] ? F : S[number]

export type Last<S extends readonly unknown[]> = S extends readonly [...unknown[], infer L] ? L : S[number]

/** The results of a group's members, in their order. */
export type ResultsOf<S extends readonly AnySignature[]> = { -readonly [I in keyof S]: ResultOf<S[I]> }

/** What applying a group gives. */
export type GroupHandle<Results> = GroupResult<Results extends readonly unknown[] ? Results : unknown[]>
