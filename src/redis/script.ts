import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ReplyError } from 'ioredis'
import type { RedisClient } from './connect.js'

export type ScriptArgument = string | number | Buffer

/** A Lua script that runs on the server in one step. */
export interface Script {
  readonly lua: string
  /** Hexadecimal SHA-1 of the text, by which a server knows it. */
  readonly sha1: string
  /**
   * Run it, loading it into a server that does not know it yet.
   *
   * @param keys - All keys it touches. On a cluster they have to be in one slot.
   * @throws ReplyError for what the script or the server refuses; see {@link isReply}.
   */
  run(client: RedisClient, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown>
  /** The same, with strings of the reply as buffers. */
  runBuffer(client: RedisClient, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown>
}

/** Read a script from its file, now. */
export function loadScript(file: URL): Script {
  const lua = readFileSync(file, 'utf8')
  const sha1 = createHash('sha1').update(lua).digest('hex')
  return {
    lua,
    sha1,
    async run(client, keys, args) {
      try {
        return await client.evalsha(sha1, keys.length, ...keys, ...args)
      } catch (error) {
        if (!isReply(error, 'NOSCRIPT')) throw error
        return client.eval(lua, keys.length, ...keys, ...args)
      }
    },
    async runBuffer(client, keys, args) {
      try {
        return await client.callBuffer('EVALSHA', sha1, keys.length, ...keys, ...args)
      } catch (error) {
        if (!isReply(error, 'NOSCRIPT')) throw error
        return client.callBuffer('EVAL', lua, keys.length, ...keys, ...args)
      }
    },
  }
}

/** Whether Redis answered with an error that begins with this word: `READONLY`, `OOM`, or a script's own. */
export function isReply(error: unknown, prefix: string): error is Error {
  if (!(error instanceof ReplyError)) return false
  const { message } = error as Error
  return message === prefix || message.startsWith(`${prefix} `)
}

/** Whether Redis answered with an error, any: then it is known that the command, or script, did not do its work. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof ReplyError
}

/**
 * Whether a server answered that it did not execute a command since it is not, or not yet, the one for it: another one,
 * or the same one soon, will.
 */
export function isElsewhere(error: unknown): boolean {
  return isRefusal(error) && ELSEWHERE.test(error.message)
}

const ELSEWHERE = /^(?:READONLY|LOADING|MASTERDOWN|NOREPLICAS|CLUSTERDOWN|MOVED|ASK|TRYAGAIN)\b/
