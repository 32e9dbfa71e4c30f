import { LovageError } from '../errors.js'

/** What a reader knew of the message or result that it could not use. */
export interface SerializationErrorOptions extends ErrorOptions {
  /** Id of the task in question, where enough could be read to know it. */
  readonly taskId?: string | undefined
}

abstract class MessageError extends LovageError {
  /** Id of the task in question, where enough could be read to know it. */
  readonly taskId: string | undefined

  constructor(message: string, options: SerializationErrorOptions = {}) {
    super(message, options)
    this.taskId = options.taskId
  }
}

/** Thrown when a text is no ISO 8601 instant that Celery would read (wire protocol, section 13.3). */
export class InvalidInstantError extends LovageError {
  readonly code = 'INVALID_INSTANT'
}

/** Thrown when a text is not JSON, not even with Python's additions (wire protocol, section 4.2). */
export class InvalidJsonError extends LovageError {
  readonly code = 'INVALID_JSON'
}

/** Thrown when a value cannot be written in the chosen serializer. Nothing was sent or stored. */
export class EncodeError extends LovageError {
  readonly code = 'ENCODE_ERROR'
}

/** Thrown when an element of a queue is no Kombu message envelope (wire protocol, section 2). */
export class BadEnvelopeError extends LovageError {
  readonly code = 'BAD_ENVELOPE'
}

/** Thrown when a content type is not accepted, pickle always (wire protocol, section 4.4). Not decoded. */
export class ContentDisallowedError extends MessageError {
  readonly code = 'CONTENT_DISALLOWED'
}

/** Thrown when a message carries no signature that is trusted, where one is demanded. Its task was not run. */
export class UntrustedMessageError extends MessageError {
  readonly code = 'UNTRUSTED_MESSAGE'
}

/** Thrown when a compression is not known here, or this Node.js lacks it. Trying again does not help. */
export class UnsupportedCompressionError extends MessageError {
  readonly code = 'UNSUPPORTED_COMPRESSION'
}

/** Thrown when a body is damaged: truncated base64, broken compression, bad JSON. */
export class UndecodableBodyError extends MessageError {
  readonly code = 'UNDECODABLE_BODY'
}

/** Thrown when a message names no task anywhere (wire protocol, section 3.1). */
export class NotATaskError extends MessageError {
  readonly code = 'NOT_A_TASK'
}

/** Thrown when a task message has a field that cannot be used; the message names it and its value. */
export class InvalidTaskMessageError extends MessageError {
  readonly code = 'INVALID_TASK_MESSAGE'
}

/** Thrown when what is stored under a task's key is no result (wire protocol, section 10.5). */
export class UnreadableResultError extends MessageError {
  readonly code = 'UNREADABLE_RESULT'
}
