import { usageCheck } from './usage.js'

export const clients = usageCheck({
  name: 'clients',
  used: 'connected_clients',
  limit: 'maxclients',
  show: String,
  showShare: (used, most) => `${used} of at most ${most}`,
  advice: 'raise maxclients, or run fewer processes: a worker has up to four connections',
})
