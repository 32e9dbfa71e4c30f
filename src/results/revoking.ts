import { InvalidArgumentError } from '../errors.js'

/** How a task is revoked; see `Control.revoke`. */
export interface RevokeTasksOptions {
  /** End it where it runs. @default false */
  readonly terminate?: boolean | undefined
  /** With which signal, where it runs in a process of its own. @default 'SIGTERM' */
  readonly killSignal?: string | undefined
}

/** Tell workers to revoke tasks. @throws PublishError */
export type RevokeTasks = (ids: readonly string[], options?: RevokeTasksOptions) => Promise<void>

/** @throws InvalidArgumentError */
export function revokerOf({ revokeTasks }: { readonly revokeTasks?: RevokeTasks }): RevokeTasks {
  if (revokeTasks === undefined)
    throw new InvalidArgumentError('no app stands behind this result to revoke its task')
  return revokeTasks
}
