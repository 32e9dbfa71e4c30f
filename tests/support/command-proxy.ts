import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { atTestEnd } from './at-test-end.js'
import { closeServer } from './close-server.js'

/**
 * What becomes of a command:
 *
 * - `pass`: it is executed, and its reply delivered.
 * - `cut-before`: the connection breaks before the server sees it.
 * - `lose-reply`: it is executed, and the connection breaks before its reply.
 * - `truncate-reply`: it is executed, and the connection breaks in the middle of what the server says then.
 */
export type CommandFate = 'pass' | 'cut-before' | 'lose-reply' | 'truncate-reply'

/** A proxy in front of a Redis that fails at the command it is told to. */
export interface CommandProxy extends AsyncDisposable {
  readonly port: number
  /** Decides over each command, given its name and arguments; replace it at any time. */
  decide: (command: readonly string[]) => CommandFate
  close(): Promise<void>
}

/** Listen on a free port of the loopback interface. All commands pass until `decide` is set. Closed at the test's end. */
export async function startCommandProxy(target: { readonly port: number }): Promise<CommandProxy> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(target.port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }
    join(client, upstream, (command) => proxy.decide(command))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  const proxy: CommandProxy = {
    port: (server.address() as AddressInfo).port,
    decide: () => 'pass',
    async close() {
      for (const socket of sockets) socket.destroy()
      await closeServer(server)
    },
    [Symbol.asyncDispose]: () => proxy.close(),
  }
  atTestEnd(() => proxy.close())
  return proxy
}

function join(client: Socket, upstream: Socket, decide: (command: readonly string[]) => CommandFate): void {
  let unread = Buffer.alloc(0)
  let fate: CommandFate = 'pass'
  const reset = (): void => {
    client.resetAndDestroy()
    upstream.destroy()
  }
  client.on('data', (bytes) => {
    if (fate !== 'pass') return
    unread = Buffer.concat([unread, bytes])
    for (let read = readCommand(unread); read !== undefined; read = readCommand(unread)) {
      fate = decide(read.command)
      if (fate === 'cut-before') return reset()
      upstream.write(unread.subarray(0, read.length))
      unread = unread.subarray(read.length)
      if (fate === 'pass') continue
      // A server executes what it has read before it sees that nothing more will come, and closes then.
      if (fate === 'lose-reply') upstream.end()
      return
    }
  })
  upstream.on('data', (bytes) => {
    if (fate === 'pass') client.write(bytes)
    if (fate === 'truncate-reply') client.write(bytes.subarray(0, bytes.length / 2), reset)
  })
  for (const socket of [client, upstream]) {
    socket.on('close', reset)
    socket.on('error', reset)
  }
}

/** The first whole command of these bytes, an array of bulk strings, and how many bytes it takes. */
function readCommand(bytes: Buffer): { command: string[]; length: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n')
  if (lineEnd < 0) return undefined
  const count = Number(bytes.toString('latin1', 1, lineEnd))
  const command: string[] = []
  let at = lineEnd + 2
  for (let i = 0; i < count; i++) {
    const end = bytes.indexOf('\r\n', at)
    if (end < 0) return undefined
    const size = Number(bytes.toString('latin1', at + 1, end))
    if (bytes.length < end + 2 + size + 2) return undefined
    command.push(bytes.toString('utf8', end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
  return { command, length: at }
}
