import { buildServer, type ApiParts } from './build-server.js'
import { LovageError } from '../errors.js'
import type { AddressInfo } from 'node:net'

/** Thrown when the API cannot listen where it should. */
export class ListenError extends LovageError {
  readonly code = 'LISTEN_FAILED'
}

export interface StartApiOptions extends ApiParts {
  /** @default '127.0.0.1' */
  readonly host?: string
  /** 0 takes a free one. @default 8000 */
  readonly port?: number
}

export interface RunningApi extends AsyncDisposable {
  /** Where it listens, `http://127.0.0.1:8000`. */
  readonly url: string
  /** Take no more requests, finish those under way, for up to `graceMs` (default 10000) milliseconds. */
  stop(graceMs?: number): Promise<void>
}

const GRACE_MS = 10_000

/** Serve the HTTP API. Resolves when it listens. @throws ListenError */
export async function startApi({
  host = '127.0.0.1',
  port = 8000,
  ...parts
}: StartApiOptions): Promise<RunningApi> {
  const server = await buildServer(parts)
  try {
    await server.listen({ host, port })
  } catch (error) {
    await server.close()
    throw new ListenError(describeListenError(error, host, port), { cause: error })
  }
  let stopping: Promise<void> | undefined
  const stop = (graceMs = GRACE_MS): Promise<void> => {
    stopping ??= (async () => {
      const timer = setTimeout(() => server.server.closeAllConnections(), graceMs)
      await server.close()
      clearTimeout(timer)
    })()
    return stopping
  }
  return { url: urlOf(server.server.address() as AddressInfo), stop, [Symbol.asyncDispose]: () => stop() }
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

function describeListenError(error: unknown, host: string, port: number): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return `port ${port} of ${host} is in use; set PORT to another`
  if (code === 'EACCES')
    return `port ${port} of ${host} may not be used by this user; set PORT to one above 1023`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `${host} is no address of this machine; set HOST`
  return `cannot listen on ${host}, port ${port}: ${error instanceof Error ? error.message : String(error)}`
}
