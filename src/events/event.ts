import { hostname as hostOf } from 'node:os'
import { literal, type JsonWriter } from '../serialization/json-writer.js'

/** An event as it is received: the fields that all have, and those of its type (wire protocol, section 14). */
export interface CeleryEvent {
  /** `worker-heartbeat`, `task-received`, or an application's own. */
  readonly type: string
  /** Node name of the worker, or `gen<pid>@<host>` of a producer. */
  readonly hostname: string
  /** When it happened, in Unix seconds. */
  readonly timestamp: number
  /** Whole hours west of UTC. */
  readonly utcoffset?: number
  readonly pid?: number
  /** Of the sender's logical clock. */
  readonly clock: number
  /** When it was received, in Unix seconds of the receiver. */
  readonly local_received: number
  /** Of task events: the task's id. */
  readonly uuid?: string
  readonly [field: string]: unknown
}

/** The fields of an event before it is sent; what all have is added then. */
export type EventFields = Readonly<Record<string, unknown>>

/** An event that is to be sent, without what all have. */
export interface OutgoingEvent {
  /** Write its own fields, each with a comma before it. */
  readonly write: (json: JsonWriter) => void
  /** What ends it: the member that names the type. */
  readonly end: Uint8Array
}

/**
 * Events of one type.
 *
 * @param write - Each member with a comma before it.
 * @returns what makes an event of its subject, which must not be changed any more: it is written later.
 */
export function eventKind<Subject>(
  type: string,
  write: (json: JsonWriter, subject: Subject) => void,
): (subject: Subject) => OutgoingEvent {
  const end = literal(`,"type":${JSON.stringify(type)}}`)
  return (subject) => ({ write: (json) => write(json, subject), end })
}

/** `task` of `task-sent`, `worker` of `worker-online`. */
export function groupOf(type: string): string {
  const dash = type.indexOf('-')
  return dash === -1 ? type : type.slice(0, dash)
}

export function routingKeyOf(type: string): string {
  return type.replaceAll('-', '.')
}

/** The name by which a process that is no worker is known; Celery's `anon_nodename`. */
export function anonymousNodeName(): string {
  return `gen${process.pid}@${hostOf()}`
}

/** Whole hours west of UTC, rounded down, as Python's `time.timezone // 3600` with regard to summer time. */
export function utcOffsetHours(at: Date): number {
  // Not -0, which JSON knows and Python makes a float of.
  return Math.floor(at.getTimezoneOffset() / 60) + 0
}
