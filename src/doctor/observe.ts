import { isReply } from '../redis/script.js'

/** What a question to a server brought: an answer, or why there is none. */
export type Observation<T> =
  { readonly kind: 'seen'; readonly value: T } | { readonly kind: 'unseen'; readonly why: string }

/**
 * Ask, and take a refusal for an answer: ACLs and managed servers deny many questions.
 *
 * @param command - for people, such as `CONFIG GET`.
 * @throws What is no refusal, such as a connection that broke.
 */
export async function observe<T>(command: string, ask: () => Promise<T>): Promise<Observation<T>> {
  try {
    return { kind: 'seen', value: await ask() }
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ReplyError') throw error
    return { kind: 'unseen', why: describeRefusal(command, error) }
  }
}

function describeRefusal(command: string, refusal: Error): string {
  const { message } = refusal
  if (isReply(refusal, 'NOPERM')) return `this user may not run ${command}`
  if (/unknown (?:sub)?command/i.test(message)) return `this server has no ${command}, or by another name`
  return `${command} was answered with ${message}`
}

/** Of several questions, all answers or the first refusal. */
export function allSeen<T>(observations: readonly Observation<T>[]): Observation<T[]> {
  const values: T[] = []
  for (const observation of observations) {
    if (observation.kind === 'unseen') return observation
    values.push(observation.value)
  }
  return { kind: 'seen', value: values }
}
