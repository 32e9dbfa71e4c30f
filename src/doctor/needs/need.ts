/** A command that a process runs. */
export interface Need {
  /** With its subcommand where it has one: `CLIENT TRACKING`. */
  readonly command: string
  /** Arguments before the keys. */
  readonly before?: readonly string[]
  readonly keys?: readonly string[]
  readonly channels?: readonly string[]
  /** Arguments behind the keys, such as make the call complete; it is never carried out. */
  readonly after?: readonly string[]
  /** What is worse without it, where all goes on all the same. */
  readonly without?: string
}

/** What it depends on beside the names of keys. */
export interface Deployment {
  /** Number of the database. */
  readonly db: number
  readonly isCluster: boolean
}

const SCRIPT = 'return 0'
const SCRIPT_DIGEST = '0'.repeat(40)

export function scripts(keys: readonly string[]): Need[] {
  const before = [String(keys.length)]
  return [
    { command: 'EVALSHA', before: [SCRIPT_DIGEST, ...before], keys },
    { command: 'EVAL', before: [SCRIPT, ...before], keys },
  ]
}

export function each(command: string, keys: readonly string[], after: readonly string[] = []): Need[] {
  return keys.map((key) => ({ command, keys: [key], after }))
}

/** The whole call, as a client would send it. */
export function callOf({ command, before = [], keys = [], channels = [], after = [] }: Need): string[] {
  return [...command.split(' '), ...before, ...keys, ...channels, ...after]
}
