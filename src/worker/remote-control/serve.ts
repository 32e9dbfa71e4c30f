import { ALIASES, inspectCommands } from './inspect-commands.js'
import { CommandError, describeError, type ControlCommand } from './command.js'
import { controlCommands, NO_REPLY } from './control-commands.js'
import { controlExchanges } from '../../control/exchanges.js'
import { formatReply, readRequest, type ReceivedRequest, type TrustOptions } from '../../control/messages.js'
import { isAddressed } from '../../control/is-addressed.js'
import type { Broker } from '../../broker/broker.js'
import type { ControlledNode } from './node.js'
import type { CustomCommand } from '../../app/control-command.js'

/** A worker's side of remote control: it obeys who tells it something, and answers who asks (section 15). */
export interface RemoteControl {
  /** Resolves when it hears what is published, or the broker has refused that. */
  readonly established: Promise<void>
  stop(): Promise<void>
}

export interface RemoteControlParts {
  readonly broker: Broker
  readonly node: ControlledNode
  readonly customCommands: ReadonlyMap<string, CustomCommand>
  /** What is told while nobody listens is not told again. */
  readonly onResumed: () => void
}

const BUILT_IN: ReadonlyMap<string, ControlCommand<ControlledNode>> = new Map([
  ...Object.entries(inspectCommands),
  ...Object.entries(controlCommands),
])

export function serveRemoteControl(parts: RemoteControlParts): RemoteControl {
  const { broker, node, customCommands } = parts
  const { hostname, settings, logicalClock, log } = node
  const { requests: exchange } = controlExchanges(settings.controlExchange)
  const trust: TrustOptions = {
    signer: settings.messageSigner,
    acceptsUnsigned: settings.acceptUnsignedMessages,
  }

  const commandOf = (method: string): ControlCommand<ControlledNode> => {
    const custom = customCommands.get(method)
    if (custom !== undefined) return { run: (args) => custom(args, { hostname, log }) }
    const command = BUILT_IN.get(ALIASES[method] ?? method)
    // The text that Python has for it.
    if (command === undefined) throw new CommandError('KeyError', method)
    return command
  }

  const obey = async ({ method, arguments: args }: ReceivedRequest): Promise<unknown> => {
    try {
      const { run, takes } = commandOf(method)
      const unknown = takes && Object.keys(args).find((name) => !takes.includes(name))
      if (unknown !== undefined) {
        throw new CommandError('TypeError', `${method}() got an unexpected keyword argument '${unknown}'`)
      }
      return (await run(args, node)) ?? null
    } catch (error) {
      log.error({ err: error, method }, 'a command of remote control failed')
      return { error: describeError(error) }
    }
  }

  const answer = async (request: ReceivedRequest): Promise<void> => {
    const reply = await obey(request)
    const { replyTo, ticket } = request
    if (replyTo === undefined || reply === NO_REPLY) return
    const options = { ticket, clock: logicalClock.forward(), signer: trust.signer }
    let envelope: string
    try {
      envelope = formatReply(hostname, reply, replyTo, options)
    } catch (error) {
      envelope = formatReply(hostname, { error: describeError(error) }, replyTo, options)
    }
    await broker.replies.send(replyTo, envelope)
  }

  const receive = (text: string): void => {
    let request: ReceivedRequest
    try {
      request = readRequest(text, trust)
      if (request.clock !== undefined) logicalClock.adjust(request.clock)
      else logicalClock.forward()
      if (!isAddressed(request, hostname)) return
    } catch (error) {
      log.warn({ err: error }, 'a message of remote control cannot be used')
      return
    }
    log.debug({ method: request.method }, 'remote control')
    answer(request).catch((error: unknown) => {
      log.warn({ err: error, method: request.method }, 'a reply of remote control could not be sent')
    })
  }

  const queue = `${hostname}.${exchange}`
  const { onResumed } = parts
  const listening = broker.fanout.listen({ exchange, routingKey: '', queue, onMessage: receive, onResumed })
  return {
    established: listening.established.catch(() => undefined),
    stop: () => listening.stop(),
  }
}
