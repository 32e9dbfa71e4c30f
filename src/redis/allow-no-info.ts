import { isReply } from './script.js'
import type { Redis } from 'ioredis'

/**
 * ioredis asks INFO whether the data is loaded before it calls a connection ready. Where INFO is renamed it would
 * never be, and where an ACL denies it a warning would be printed for each connection. Without INFO a server that is
 * still loading says so in its first reply, which opens the connection again.
 */
export function allowNoInfo(client: Redis): void {
  const ask = client.info.bind(client)
  const answer = async (): Promise<string> => {
    try {
      return await ask()
    } catch (error) {
      if (isReply(error, 'NOPERM') || (isReply(error, 'ERR') && /unknown command/i.test(error.message)))
        return ''
      throw error
    }
  }
  client.info = ((callback: (error: Error | null, text?: string) => void) => {
    const answered = answer()
    answered.then(
      (text) => callback(null, text),
      (error: unknown) => callback(error as Error),
    )
    return answered
  }) as Redis['info']
}
