import { fault, ok, unseen, warning } from '../finding.js'
import { factOrConfig } from '../server-view.js'
import type { ServerCheck } from '../subject.js'

export const clients: ServerCheck = {
  name: 'clients',
  async look(view) {
    if (view.info.kind === 'unseen') return unseen('clients', view.info.why)
    const connected = Number(view.info.value.get('connected_clients'))
    const limit = await factOrConfig(view, 'maxclients', 'maxclients')
    if (Number.isNaN(connected)) return unseen('clients', 'INFO tells no connected_clients')
    if (limit.kind === 'unseen') return ok('clients', `${connected}; limit not seen`)
    const most = Number(limit.value)
    const found = `${connected} of at most ${most}`
    const advice = 'raise maxclients, or run fewer processes: a worker has up to four connections'
    if (connected >= most * 0.95) return fault('clients', found, advice)
    return connected >= most * 0.8 ? warning('clients', found, advice) : ok('clients', found)
  },
}
