import { each, scripts, type Need } from './need.js'
import type { Places } from '../places.js'

/** Events, for monitors. */
export function telling({ eventChannels }: Places): Need[] {
  const without = 'monitors do not hear of it and its tasks'
  return [{ command: 'PUBLISH', channels: [eventChannels], after: [''], without }]
}

/** Being a monitor. */
export function watching({ eventBinding, eventChannels }: Places): Need[] {
  const needs: Need[] = [
    { command: 'PSUBSCRIBE', channels: [eventChannels] },
    { command: 'PUNSUBSCRIBE' },
    ...each('SADD', [eventBinding], ['']),
    ...each('SREM', [eventBinding], ['']),
  ]
  return needs.map((need) => ({ ...need, without: 'it cannot watch events' }))
}

/** Hearing other workers, where that is wanted. */
export function gossiping(at: Places): Need[] {
  return watching(at).map((need) => ({ ...need, without: 'it cannot take part in gossip' }))
}

export function beingControlled({
  keys,
  controlBinding,
  controlChannel,
  replyBinding,
  replyList,
}: Places): Need[] {
  const needs: Need[] = [
    { command: 'PSUBSCRIBE', channels: [controlChannel] },
    { command: 'PUNSUBSCRIBE' },
    ...each('SADD', [controlBinding], ['']),
    ...each('SREM', [controlBinding], ['']),
    ...scripts([replyBinding, replyList]),
    ...each('SISMEMBER', [replyBinding], ['']),
    ...each('LPUSH', [replyList], ['']),
    ...each('EXPIRE', [replyList], ['1']),
  ]
  const remembering = each('ZRANGEBYSCORE', [keys.revoked], ['0', '0'])
  const forgetful = 'it does not know what was revoked before it started'
  return [
    ...needs.map((need) => ({ ...need, without: 'remote control does not reach it' })),
    ...remembering.map((need) => ({ ...need, without: forgetful })),
  ]
}

/** Asking workers, and telling them. */
export function controlling({ keys, controlChannel, replyBinding, replyList }: Places): Need[] {
  const needs: Need[] = [
    { command: 'PUBLISH', channels: [controlChannel], after: [''] },
    ...each('SADD', [replyBinding], ['']),
    ...each('SREM', [replyBinding], ['']),
    ...each('BRPOP', [replyList], ['1']),
    ...each('DEL', [replyList]),
  ]
  const keeping = [
    ...each('ZADD', [keys.revoked], ['0', '']),
    ...each('ZREMRANGEBYSCORE', [keys.revoked], ['0', '0']),
    ...each('ZREMRANGEBYRANK', [keys.revoked], ['0', '0']),
  ]
  const forgotten = 'workers that start later do not know what it revokes'
  return [
    ...needs.map((need) => ({ ...need, without: 'it cannot ask or tell other workers anything' })),
    ...keeping.map((need) => ({ ...need, without: forgotten })),
  ]
}
