import os from 'node:os'
import type { Redis } from 'ioredis'

/** One line for each thing that the figures depend on. Taken before anything is measured, for the load. */
export async function describeMachine(redis: Redis): Promise<string[]> {
  const cpus = os.cpus()
  const server = await redis.info('server')
  const version = /^(?:valkey|redis)_version:(\S+)/m.exec(server)?.[1] ?? 'unknown'
  const gibibytes = os.totalmem() / 2 ** 30
  return [
    `${new Date().toISOString().slice(0, 10)}, ${os.type()} ${os.release()} on ${os.arch()}`,
    `${cpus.length} cores of ${cpus[0]?.model ?? 'an unknown processor'}, ${gibibytes.toFixed(0)} GiB of memory`,
    `load average at the start ${os.loadavg()[0]?.toFixed(2) ?? 'unknown'}`,
    `Node ${process.versions.node}, Redis ${version} on the same machine, without persistence`,
  ]
}
