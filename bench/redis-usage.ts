import type { Redis } from 'ioredis'

/** What Redis has done since it was started. */
export interface RedisUsage {
  /** Those inside of scripts included. */
  readonly commands: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** User and system time. */
  readonly cpuSeconds: number
}

export async function redisUsage(redis: Redis): Promise<RedisUsage> {
  const text = `${await redis.info('stats')}\n${await redis.info('cpu')}`
  const figure = (name: string): number => {
    const value = new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1]
    if (value === undefined) throw new Error(`this Redis does not state its ${name}`)
    return Number(value)
  }
  return {
    commands: figure('total_commands_processed'),
    bytesIn: figure('total_net_input_bytes'),
    bytesOut: figure('total_net_output_bytes'),
    cpuSeconds: figure('used_cpu_sys') + figure('used_cpu_user'),
  }
}
