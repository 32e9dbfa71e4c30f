/** The node name of the worker behind a consumer, whose id is `<node name>:<a text of its own>`. */
export function workerOf(consumerId: string): string {
  const end = consumerId.lastIndexOf(':')
  return end > 0 ? consumerId.slice(0, end) : consumerId
}
