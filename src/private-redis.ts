// The process that keeps a developer's private Redis: `node private-redis.js PROGRAM DIRECTORY`, started by
// `npm start` with a channel to it. It sends `{port, pid}` when the server takes connections, ends with the server, and
// ends the server when it is asked to (SIGTERM) or its parent is gone.
import { connect, createServer, type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { mkdir } from 'node:fs/promises'
import { once } from 'node:events'
import { spawn, type ChildProcess } from 'node:child_process'

const USUAL_PORT = 6379
/** Relative to the directory: the whole path of a socket has to be short. */
const SOCKET = 'redis.sock'
/** For how long the others may still put their messages back when the parent was killed. */
const PARENT_GONE_GRACE_MS = 5_000

const [program = 'redis-server', directory = '.lovage/redis'] = process.argv.slice(2)

let server: ChildProcess | undefined = undefined
const stop = (): void => {
  if (server === undefined) process.exit(0)
  server.kill('SIGTERM')
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
process.once('disconnect', () => setTimeout(stop, PARENT_GONE_GRACE_MS))
// Nobody reads what is printed once the parent is gone; the server has to be stopped all the same.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)

await mkdir(directory, { recursive: true })
process.chdir(directory)
if (await isListening({ path: SOCKET })) {
  // Two servers on the same append-only file would destroy it.
  console.error(
    `a private Redis runs in ${directory} already: is another \`npm start\` running in this folder?`,
  )
  process.exit(1)
}

const port = (await isFree(USUAL_PORT)) ? USUAL_PORT : await freePort()
server = startServer(port)
server.once('error', (error) => {
  console.error(`${program} cannot be started: ${error.message}`)
  process.exit(1)
})
server.once('close', (code) => process.exit(code ?? 1))

function startServer(onPort: number): ChildProcess {
  const child = spawn(
    program,
    [
      ...['--bind', '127.0.0.1', '--port', String(onPort), '--unixsocket', SOCKET, '--unixsocketperm', '700'],
      ...['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  child.stderr.pipe(process.stderr)
  const lines = createInterface({ input: child.stdout })
  const early: string[] = []
  let isReady = false
  lines.on('line', (line) => {
    if (!isReady) early.push(line)
    // Redis marks with # what an operator should see.
    else if (line.includes(' # ')) console.log(line)
    if (isReady || !line.includes('Ready to accept connections')) return
    isReady = true
    process.send?.({ port: onPort, pid: child.pid })
  })
  // Only where it did not start do its first lines matter: they say why.
  lines.once('close', () => {
    if (!isReady) console.log(early.join('\n'))
  })
  return child
}

async function isListening(where: { readonly path: string }): Promise<boolean> {
  const socket = connect(where)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function isFree(wanted: number): Promise<boolean> {
  const probe = createServer().listen(wanted, '127.0.0.1')
  try {
    await once(probe, 'listening')
  } catch {
    return false
  }
  probe.close()
  await once(probe, 'close')
  return true
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port: free } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return free
}
