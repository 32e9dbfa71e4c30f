import { randomUUID } from 'node:crypto'
import { createEager, type Eager, type EagerParts } from './eager.js'
import { createPrepareCanvas, errbackReach, type PrepareCanvas } from './apply-canvas.js'
import { checkSendOptions } from './check-send-options.js'
import { createSender, type SendTask, type SenderParts } from './send-task.js'
import { fromTuple } from '../results/async-result.js'
import { noteChild, runningTask } from '../results/running-task.js'
import { startedTuple, tupleOf } from '../canvas/result-tree.js'
import type { Connections } from './connections.js'
import type { Owner } from '../canvas/signature.js'
import type { Settings } from './settings.js'

/** How the calls of an app are sent: to the broker, or with the setting `taskAlwaysEager` to a worker of its own. */
export interface Calls {
  /** For user code: what a task calls becomes its child, and an eager call is waited for. */
  readonly call: SendTask
  /** The same for signatures. */
  readonly owner: Owner
  /** For workers, which send what tasks ask for. */
  sender(): SendTask
  prepareCanvas(): PrepareCanvas
  /** End the worker that runs eager calls. */
  close(): Promise<void>
}

export interface CallsParts
  extends
    Pick<SenderParts, 'signals' | 'taskSent' | 'taskOptions' | 'tracing' | 'log' | 'revokeTasks'>,
    Pick<EagerParts, 'startWorker'> {
  readonly settings: () => Settings
  readonly connections: Connections
}

export function createCalls(parts: CallsParts): Calls {
  const { settings, connections } = parts
  /** Names the app as a receiver of replies. */
  const replyTo = randomUUID()
  let sender: SendTask | undefined
  let eager: Eager | undefined
  let prepareCanvas: PrepareCanvas | undefined

  const toBroker = (): SendTask =>
    createSender({
      ...parts,
      replyTo,
      settings: settings(),
      broker: connections.broker(),
      backend: connections.backend(),
      coordination: connections.coordination,
    })

  /** Undefined unless the setting is on. */
  const eagerly = (): Eager | undefined => {
    const { taskAlwaysEager, taskEagerPropagates } = settings()
    if (!taskAlwaysEager) return undefined
    return (eager ??= createEager({ ...parts, send: toBroker(), propagates: taskEagerPropagates }))
  }

  const getSender = (): SendTask => (sender ??= eagerly()?.send ?? toBroker())

  const getPrepareCanvas = (): PrepareCanvas =>
    (prepareCanvas ??= createPrepareCanvas({
      send: getSender(),
      settings: settings(),
      backend: connections.backend(),
      replyTo,
    }))

  return {
    async call(...call) {
      checkSendOptions(call[3])
      const result = await (eagerly()?.call ?? getSender())(...call)
      if (runningTask() !== undefined) noteChild(result.asTuple())
      return result
    },
    owner: {
      async launch(data, call) {
        const prepared = getPrepareCanvas()(data, call)
        const eager = eagerly()
        await (eager === undefined ? prepared.send() : eager.launch(() => prepared.send()))
        noteChild(startedTuple(prepared.result))
        return fromTuple(tupleOf(prepared.result), connections.backend())
      },
      errbackReach: () => errbackReach(settings()),
    },
    sender: getSender,
    prepareCanvas: getPrepareCanvas,
    async close() {
      await eager?.close()
    },
  }
}
