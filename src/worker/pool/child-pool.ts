import { createSlots } from './slots.js'
import { createStaff, type Job, type Staff } from './staff.js'
import { fromPortable, toPortableError } from './child/portable-outcome.js'
import { parseExactJson } from '../../serialization/json.js'
import { processStarter } from './child/process-child.js'
import { sizedPool, type Execute, type Execution, type ExecutionParts, type Pool } from './pool.js'
import {
  MemoryLimitExceeded,
  TaskRevokedError,
  TimeLimitExceeded,
  WorkerLostError,
} from '../../app/outcomes.js'
import { threadStarter } from './child/thread-child.js'
import type { Favour } from './child/messages.js'
import type { Log } from '../../log.js'
import type { Member } from './staff.js'
import type { Outcome } from '../outcome.js'

export interface ChildPoolOptions {
  readonly concurrency: number
  /** Module that exports the app. */
  readonly module: URL
  readonly env: NodeJS.ProcessEnv
  readonly hostname: string
  /** Names of the tasks that children have to know. */
  readonly tasks: () => Iterable<string>
  readonly startTimeoutMs: number
  readonly maxTasksPerChild: number | undefined
  /** KiB. */
  readonly maxMemoryPerChild: number | undefined
  readonly memoryLimitKib: number | undefined
  readonly log: Log
}

/** What was asked to end has so long to do so before it is killed. */
const TERMINATE_MS = 1000

/**
 * Runs tasks in children, one at a time in each: for tasks that compute, that leak, or that may take their process down.
 * What a child does, or fails to do, has no effect on anything but its own task.
 */
export function createChildPool(kind: 'threads' | 'processes', options: ChildPoolOptions): Pool {
  const { concurrency, module, env, hostname, maxTasksPerChild, maxMemoryPerChild, memoryLimitKib } = options
  const start = kind === 'threads' ? threadStarter : processStarter
  const reportsMemory = maxMemoryPerChild !== undefined || memoryLimitKib !== undefined
  const slots = createSlots(concurrency)
  const staff = createStaff({
    ...options,
    count: concurrency,
    startChild: start({
      orders: { module: module.href, hostname, reportsMemory },
      env,
      memoryLimitKib,
    }),
    maxTasks: maxTasksPerChild,
    // No task begins in a child that one before has filled.
    maxMemoryKib: Math.min(maxMemoryPerChild ?? Infinity, memoryLimitKib ?? Infinity),
  })
  return sizedPool({
    kind,
    slots,
    execute: executeWith(staff, { hasPids: kind === 'processes', memoryLimitKib }),
    get children() {
      return staff.ids
    },
    get writes() {
      return staff.writes
    },
    restart: staff.restart,
    async resize(count) {
      if (count < slots.concurrency) slots.resize(count)
      await staff.resize(count)
      slots.resize(count)
    },
    start: () => staff.start(),
    stop: () => staff.stop(),
  })
}

interface ChildTraits {
  readonly hasPids: boolean
  readonly memoryLimitKib: number | undefined
}

function executeWith(staff: Staff, { hasPids, memoryLimitKib }: ChildTraits): Execute {
  return (request, { soft, hard }, parts) => {
    const { tracing } = parts
    const giveUp = new AbortController()
    let member: Member | undefined
    let timer: NodeJS.Timeout | undefined

    const outcome = new Promise<Outcome>((resolve) => {
      const end = (ended: Outcome): void => {
        clearTimeout(timer)
        member = undefined
        resolve(ended)
      }
      const job: Job = {
        onMessage(message) {
          if (message.type === 'ended') {
            if (message.notes !== undefined) tracing?.noted(request.message, message.notes)
            end(fromPortable(message.outcome))
            return
          }
          const { number } = message
          const reply = (error?: unknown): void =>
            member?.send({
              type: 'done',
              number,
              error: error === undefined ? error : toPortableError(error),
            })
          grant(message.what, parts).then(() => reply(), reply)
        },
        onMemoryExceeded: () => end(overMemory(memoryLimitKib ?? 0)),
        onLost: ({ how, cause }) =>
          end(
            cause === 'MEMORY_LIMIT' && memoryLimitKib !== undefined
              ? overMemory(memoryLimitKib)
              : { kind: 'lost', cause, thrown: new WorkerLostError(`Worker exited prematurely: ${how}.`) },
          ),
      }
      const begin = (assigned: Member | undefined): void => {
        if (assigned === undefined) return end({ kind: 'ignore' })
        member = assigned
        parts.onStarted?.(hasPids ? assigned.id : process.pid)
        const trace = tracing?.carrierOf(request.message)
        assigned.send({ type: 'run', envelope: request.delivery.envelope, softLimit: soft, trace })
        if (!hard) return
        timer = setTimeout(() => {
          end({ kind: 'failure', thrown: new TimeLimitExceeded(hard) })
          assigned.kill()
        }, hard * 1000)
      }
      void staff.assign(job, giveUp.signal).then(begin)
    })

    return {
      outcome,
      ...(hasPids && { pid: () => member?.id }),
      abort(reason) {
        giveUp.abort()
        member?.send({ type: 'abort', reason: toPortableError(reason) })
      },
      terminate(signal) {
        giveUp.abort()
        const mine = member
        if (mine === undefined) return true
        mine.send({ type: 'abort', reason: toPortableError(new TaskRevokedError('terminated')) })
        // With Celery, tasks can see this one and go on; in Node.js it opens the debugger.
        if (signal === 'SIGUSR1') return false
        mine.signal(signal)
        const killing = setTimeout(() => member === mine && mine.kill(), TERMINATE_MS)
        void outcome.then(() => clearTimeout(killing))
        return true
      },
    } satisfies Execution
  }
}

function overMemory(limitKib: number): Outcome {
  return { kind: 'failure', thrown: new MemoryLimitExceeded(limitKib) }
}

async function grant(what: Favour, { store, sendEvent }: ExecutionParts): Promise<void> {
  if (what.kind === 'store') return store(what.result)
  return sendEvent(what.name, parseExactJson(what.fields) as Record<string, unknown>)
}
