import type { Count, Peer } from './peer.js'

/** Messages in Celery's default queue. */
export const celeryWaiting: Count = ({ broker }) => broker.llen('celery')

/** Results in a database that holds nothing else. */
export const celeryCompleted: Count = ({ backend }) => backend.dbsize()

export const someCeleryState: Peer['someState'] = async ({ backend }) => {
  const stored = await backend.get((await backend.randomkey()) ?? '')
  const { status } = JSON.parse(stored ?? '{}') as { readonly status?: string }
  return status ?? 'PENDING'
}
