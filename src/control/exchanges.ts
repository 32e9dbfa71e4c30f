/** Names of what remote control goes over, by the setting `controlExchange` (wire protocol, section 15.1). */
export function controlExchanges(controlExchange: string): {
  readonly requests: string
  readonly replies: string
} {
  return { requests: `${controlExchange}.pidbox`, replies: `reply.${controlExchange}.pidbox` }
}
