import { LovageError } from '../errors.js'

/**
 * Thrown when a message could not be handed to the broker in time.
 *
 * `mayHaveBeenSent` tells whether trying again can send it twice: false while it was waiting for a connection
 * or was refused by the server, true where the connection broke, or stayed silent, after it was written.
 */
export class PublishError extends LovageError {
  readonly code:
    'PUBLISH_TIMEOUT' | 'PUBLISH_REFUSED' | 'PUBLISH_INTERRUPTED' | 'OUTBOX_FULL' | 'BROKER_CLOSED'
  readonly mayHaveBeenSent: boolean

  constructor(
    code: PublishError['code'],
    message: string,
    options: ErrorOptions & { readonly mayHaveBeenSent: boolean },
  ) {
    super(message, options)
    this.code = code
    this.mayHaveBeenSent = options.mayHaveBeenSent
  }
}
