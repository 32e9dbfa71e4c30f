import type { Signature as WireSignature } from '../serialization/signature.js'

/** A call not yet made: a task's name, its arguments and how to send it (wire protocol, section 12.1). */
export type Signature = WireSignature

export interface SignatureParts {
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly options?: Readonly<Record<string, unknown>>
  /** Do not put the result of a predecessor in front of the arguments. @default false */
  readonly immutable?: boolean
}

export function signature(task: string, parts: SignatureParts = {}): Signature {
  const { args = [], kwargs = {}, options = {}, immutable = false } = parts
  return { task, args, kwargs, options, subtask_type: null, immutable }
}
