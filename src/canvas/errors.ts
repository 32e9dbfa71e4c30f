import { LovageError } from '../errors.js'

/** Thrown for what is no signature, or one that cannot be sent as it is. Nothing was sent. */
export class InvalidSignatureError extends LovageError {
  readonly code = 'INVALID_SIGNATURE'
}
