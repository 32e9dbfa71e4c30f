/**
 * Signatures as they are written down and called, and what the compiler knows of them: which result may come before, and
 * which comes out. Nothing here is ever run.
 */
import type { GroupResult } from '../results/group-result.js'
import type { Options, SignatureData } from './signature-data.js'
import type { StampingVisitor, Stamps } from './stamp.js'

declare const types: unique symbol

/**
 * A call not yet made, or several of them (wire protocol, section 12): a task's name, its arguments and how to send it.
 *
 * It is plain data for JSON, in the form in which Python reads and writes it, and is never changed: each method returns
 * another signature. `Previous` is what it accepts from a predecessor, `Result` what it returns.
 */
export interface Signature<in Previous = never, out Result = unknown, out Handle = unknown> {
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly options: Options
  readonly subtask_type: string | null
  readonly immutable: boolean
  readonly [types]?: {
    readonly accepts: (previous: Previous) => void
    readonly returns: Result
    readonly handle: Handle
  }

  /** With these options over its own; Celery's, in camelCase. `immutable` is taken, too. */
  set(options: SignatureOptions): Signature<Previous, Result, Handle>
  /** With these arguments in front of its own; Celery's `clone` and partial call. */
  clone(call?: PartialCall): Signature<unknown, Result, Handle>
  /** Followed by these where it succeeds, with its result in front of their arguments. */
  link<C extends readonly AnySignature[]>(
    ...callbacks: C & readonly (unknown extends Result ? AnySignature : Signature<Result, unknown, unknown>)[]
  ): Signature<Previous, Result, Handle>
  /** Followed by these where it fails. They get the id of what failed, or, in their own worker, the error itself. */
  linkError(...errbacks: readonly AnySignature[]): Signature<Previous, Result, Handle>
  /** As `linkError`; Celery's `on_error`. */
  onError(...errbacks: readonly AnySignature[]): Signature<Previous, Result, Handle>
  /**
   * Stamped, it and all that it is made of: stamps are in the messages of its tasks, as `task.request.stamps`, and tasks can be
   * revoked by them. As in Celery, a chord's body is stamped by a visitor only.
   *
   * @throws InvalidArgumentError for what is no stamp, or no visitor.
   */
  stamp(call: StampCall): Signature<Previous, Result, Handle>
  /** The two as a chain: Celery's `|`. */
  then<Next extends AnySignature>(
    next: unknown extends Result ? Next : Next & Signature<Result, unknown, unknown>,
  ): Signature<Previous, ResultOf<Next>, HandleOf<Next>>
  /** Send it. @throws InvalidSignatureError, and what `applyAsync` of a task throws. */
  applyAsync(call?: ApplyCall): Promise<Handle>
  /** Send it with these arguments in front of its own. */
  delay(...args: readonly unknown[]): Promise<Handle>
  toJSON(): SignatureData
}

/** Options of a signature: those of Celery's `apply_async` in camelCase. Unknown ones become message properties. */
export interface SignatureOptions {
  readonly immutable?: boolean
  /** Of a chain its last task's, of a chord its body's, of a group its own. */
  readonly taskId?: string
  readonly queue?: string
  readonly priority?: number
  /** Seconds. */
  readonly countdown?: number
  readonly eta?: Date
  /** Seconds from when it is sent, or the instant. */
  readonly expires?: number | Date
  /** Of this call alone; {@link Signature.stamp} stamps all parts of a canvas. */
  readonly stamps?: Stamps
  readonly [name: string]: unknown
}

/** Stamps by their names, beside how they are to be found and merged. */
export interface StampCall {
  /** Says what each part is stamped with. */
  readonly visitor?: StampingVisitor
  /** Make lists of stamps of one name instead of taking the outer, or the later, one. @default false */
  readonly appendStamps?: boolean
  readonly [stamp: string]: unknown
}

/** A call of a signature: arguments in front of its own, and options over its own. */
export interface ApplyCall extends SignatureOptions {
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
}

/** What a call adds to a signature: arguments in front of its own, keyword arguments over its own, options. */
export interface PartialCall {
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  /** By their wire names, or as here. */
  readonly options?: Options
}

export interface SignatureParts extends PartialCall {
  /** Do not put the result of a predecessor in front of the arguments. @default false */
  readonly immutable?: boolean
}

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
