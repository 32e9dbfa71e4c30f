import path from 'node:path'
import type { Floor, Launch, Site } from './peer.js'

export function floor(site: Site): Floor {
  const program = path.join(site.programs, 'floor.js')
  const run = (role: string, ...args: number[]): Launch => ({
    command: process.execPath,
    args: [program, role, site.brokerUrl, site.backendUrl, ...args.map(String)],
  })
  return {
    label: 'the floor: ioredis with BLMOVE, SET and PUBLISH, no claim, no lease, no envelope',
    worker: run('work'),
    client: (count) => run('round-trip', count),
  }
}
