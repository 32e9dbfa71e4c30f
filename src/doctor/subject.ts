import type { BrokerKeys } from '../broker/keys.js'
import type { Clock } from '../clock.js'
import type { RedisClient, RedisConnectionOptions } from '../redis/connect.js'
import type { RedisEndpoint } from '../redis/endpoint.js'
import type { Settings } from '../app/settings.js'
import type { Finding } from './finding.js'
import type { Role } from './needs.js'
import type { ServerView } from './server-view.js'

/** What a Redis is there for. */
export type Use = 'broker' | 'results'

/** What is examined: one URL, and all servers behind it. */
export interface Subject {
  readonly uses: readonly Use[]
  readonly settings: Settings
  readonly connection: RedisConnectionOptions
  readonly endpoint: RedisEndpoint
  readonly queues: readonly string[]
  /** Whose permissions are asked for; undefined: those of whom it may be. */
  readonly role: Role | undefined
  readonly keys: BrokerKeys
  /** What stands before a task id in the key of its result. */
  readonly resultPrefix: string
  /** Finds the right server for a key. */
  readonly client: RedisClient
  /** The one server, or all primaries of a cluster. */
  readonly servers: readonly ServerView[]
  readonly clock: Clock
}

/** Looks at one server, and says so under this name; of several servers the worst is told. */
export interface ServerCheck {
  readonly name: string
  readonly look: (view: ServerView, subject: Subject) => Finding | Promise<Finding>
}

/** Looks at what is kept, wherever it is kept. */
export interface SubjectCheck {
  readonly name: string
  readonly look: (subject: Subject) => Finding | Promise<Finding>
}
