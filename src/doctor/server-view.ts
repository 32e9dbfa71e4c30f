import { targetOf } from '../redis/connector.js'
import { nameOf, type Target } from '../redis/target.js'
import { observe, type Observation } from './observe.js'
import type { Redis } from 'ioredis'

/** Names and values as `INFO` and `HELLO` give them. */
export type Facts = ReadonlyMap<string, string>

/** One server, and what it says of itself. */
export interface ServerView {
  /** `host:port`, or the path of a socket. */
  readonly address: string
  /** How it was reached. */
  readonly target: Target | undefined
  readonly client: Redis
  readonly info: Observation<Facts>
  /** Empty where it has no `HELLO`. Nobody can be denied it, and it tells version, mode and role. */
  readonly hello: Facts
}

export async function viewServer(client: Redis): Promise<ServerView> {
  const info = await observe('INFO', () => client.call('INFO'))
  // Of a cluster's node not before it was asked, as that opens its connection.
  const target = targetOf(client.stream)
  const hello = await observe('HELLO', () => client.call('HELLO'))
  return {
    address: target === undefined ? 'a server' : nameOf(target),
    target,
    client,
    info: info.kind === 'seen' ? { kind: 'seen', value: parseInfo(String(info.value)) } : info,
    hello: hello.kind === 'seen' ? pairs(hello.value) : new Map(),
  }
}

/** A setting of the server, for what its `INFO` does not tell. */
export async function readConfig(client: Redis, name: string): Promise<Observation<string>> {
  const reply = await observe('CONFIG GET', () => client.call('CONFIG', 'GET', name))
  if (reply.kind === 'unseen') return reply
  const value = pairs(reply.value).get(name)
  return value === undefined
    ? { kind: 'unseen', why: `CONFIG GET knows no ${name}` }
    : { kind: 'seen', value }
}

/**
 * One fact of `INFO`, or where that is not to be had, the setting of that name.
 *
 * @returns unseen with the reason why `INFO` is.
 */
export async function factOrConfig(
  view: ServerView,
  fact: string,
  setting: string,
): Promise<Observation<string>> {
  const value = view.info.kind === 'seen' ? view.info.value.get(fact) : undefined
  if (value !== undefined) return { kind: 'seen', value }
  const config = await readConfig(view.client, setting)
  if (config.kind === 'seen' || view.info.kind === 'seen') return config
  return { kind: 'unseen', why: `${view.info.why}, and ${config.why}` }
}

function parseInfo(text: string): Facts {
  const facts = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) facts.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return facts
}

/** A flat list of names and values. */
function pairs(reply: unknown): Facts {
  const facts = new Map<string, string>()
  if (!Array.isArray(reply)) return facts
  for (let i = 0; i + 1 < reply.length; i += 2) facts.set(String(reply[i]), String(reply[i + 1]))
  return facts
}
