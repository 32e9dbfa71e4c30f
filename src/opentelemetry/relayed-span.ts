import {
  TraceFlags,
  type Attributes,
  type AttributeValue,
  type Exception,
  type Link,
  type Span,
  type SpanContext,
  type SpanStatus,
  type TimeInput,
} from '@opentelemetry/api'

/** What was noted on a span elsewhere, as values that travel between threads and processes. */
export interface Notes {
  readonly attributes: Attributes
  readonly events: { readonly name: string; readonly attributes: Attributes; readonly at: TimeInput }[]
  readonly exceptions: { readonly exception: Exception; readonly at: TimeInput }[]
  readonly links: Link[]
  name?: string
  status?: SpanStatus
}

/**
 * The span of a run as its task sees it in a child of a pool. The worker has made it and ends it; what is noted here is
 * kept for it, to be noted there.
 */
export function relayedSpan(context: SpanContext): {
  readonly span: Span
  readonly notes: () => Notes | undefined
} {
  let notes: Notes | undefined
  const isRecording = (context.traceFlags & TraceFlags.SAMPLED) !== 0
  const write = (note: (notes: Notes) => void): Span => {
    if (isRecording) note((notes ??= { attributes: {}, events: [], exceptions: [], links: [] }))
    return span
  }
  const addLinks = (links: readonly Link[]): Span =>
    write((to) => {
      for (const link of links)
        to.links.push({ context: { ...link.context }, attributes: portable(link.attributes) })
    })
  const span: Span = {
    spanContext: () => context,
    setAttribute: (key, value) => write((to) => Object.assign(to.attributes, portable({ [key]: value }))),
    setAttributes: (attributes) => write((to) => Object.assign(to.attributes, portable(attributes))),
    addEvent(name, second, third) {
      const [attributes, at] = isTime(second) ? [{}, second] : [portable(second), third]
      return write((to) => to.events.push({ name, attributes, at: instant(at) }))
    },
    addLink: (link) => addLinks([link]),
    addLinks,
    setStatus: ({ code, message }) =>
      write((to) => (to.status = message === undefined ? { code } : { code, message: String(message) })),
    updateName: (name) => write((to) => (to.name = name)),
    recordException: (exception, at) =>
      void write((to) => to.exceptions.push({ exception: portableException(exception), at: instant(at) })),
    isRecording: () => isRecording,
    end: () => undefined,
  }
  return { span, notes: () => notes }
}

/** Note on a span what was noted on its relayed form. */
export function applyNotes(span: Span, { attributes, events, exceptions, links, name, status }: Notes): void {
  span.setAttributes(attributes)
  for (const event of events) span.addEvent(event.name, event.attributes, event.at)
  for (const { exception, at } of exceptions) span.recordException(exception, at)
  span.addLinks(links)
  if (name !== undefined) span.updateName(name)
  if (status !== undefined) span.setStatus(status)
}

/** What is no value of an attribute is left out, as the SDK does; a function, for instance, could not travel. */
function portable(attributes: Attributes | undefined): Attributes {
  const isPlain = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value)
  const isPortable = ([, value]: [string, AttributeValue | undefined]): boolean =>
    isPlain(value) || (Array.isArray(value) && value.every((each) => each === null || isPlain(each)))
  return Object.fromEntries(Object.entries(attributes ?? {}).filter(isPortable))
}

function portableException(exception: Exception): Exception {
  if (typeof exception === 'string') return exception
  const texts = { name: exception.name, message: exception.message, stack: exception.stack }
  const given = Object.entries(texts).filter(([, text]) => typeof text === 'string')
  return Object.fromEntries(given) as unknown as Exception
}

function isTime(value: unknown): value is TimeInput {
  return typeof value === 'number' || value instanceof Date || Array.isArray(value)
}

/** In a form that means the same elsewhere: numbers may be since the start of this process. */
function instant(time: TimeInput | undefined): TimeInput {
  if (time === undefined) return new Date()
  if (typeof time !== 'number') return time
  return new Date(time < performance.timeOrigin ? performance.timeOrigin + time : time)
}
