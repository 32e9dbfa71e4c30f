/** Where replies to a caller go: what a request names as `reply_to`. */
export interface ReplyAddress {
  readonly exchange: string
  readonly routingKey: string
}

export interface ReplyQueue {
  readonly address: ReplyAddress
  /** The queue and its binding are gone when the last who receives has closed it. Never rejects. */
  close(): Promise<void>
}

/** Queues for the replies to a caller (wire protocol, section 15.3), which are gone when it does not wait any more. */
export interface Replies {
  /** @returns false where nobody waits for it any more, and nothing was done. */
  send(to: ReplyAddress, envelope: string): Promise<boolean>
  /**
   * Take what comes in, until it is closed. All who receive from one exchange share a queue, so each has to know its own
   * replies.
   */
  receive(exchange: string, onReply: (envelope: string) => void): Promise<ReplyQueue>
}
