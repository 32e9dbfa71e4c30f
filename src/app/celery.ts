import { appControl } from './app-control.js'
import { checkControlCommand, type CustomCommand } from './control-command.js'
import { createAppEvents, type AppEvents } from '../events/app-events.js'
import { createCalls } from './calls.js'
import { createConnections } from './connections.js'
import { createLogicalClock } from '../logical-clock.js'
import { createTask, type ParamsTask, type Task } from './task.js'
import { createTaskRegistry } from './task-registry.js'
import { tracedLog, type Tracing } from './tracing.js'
import { InvalidArgumentError, describeValue } from '../errors.js'
import { createSignalBus, type SignalListener, type SignalName } from './signals.js'
import { periodicTask, type PeriodicTask } from './periodic-tasks.js'
import { resolveSettings, type Settings } from './settings.js'
import { AsyncResult, savedGroup } from '../results/async-result.js'
import { ResultSet } from '../results/result-set.js'
import { silentLog, type Log } from '../log.js'
import type { CelerySettings } from './celery-settings.js'
import type { Control } from '../control/control.js'
import type { z } from 'zod'
import type { AnyTaskOptions, BoundTaskOptions, ParamsTaskOptions, PlainTaskOptions } from './task-options.js'
import type { Broker, DeadLetters } from '../broker/broker.js'
import type { GroupResult } from '../results/group-result.js'
import type { ResultNode } from '../results/joining.js'
import type { RegisteredTask, TaskFunction } from './registered-task.js'
import type { ResultBackend } from '../results/result-backend.js'
import type { RevokeTasks } from '../results/revoking.js'
import type { Schedule } from '../schedules/schedule.js'
import type { SendOptions } from './send-task.js'
import { createSignature, signatureFrom } from '../canvas/signature.js'
import type { AnySignature, Signature, SignatureParts } from '../canvas/signature-types.js'
import type { TaskContext } from './task-context.js'
import type { RunningWorker, WorkerOptions, WorkerParts } from './worker-options.js'

export interface AppOptions extends CelerySettings {
  /** Where the library writes; it is silent by default. */
  readonly log?: Log
}

/**
 * An application: its settings, its tasks, and the way to its broker and result backend.
 *
 * Nothing is connected before it is needed. Several apps live side by side in one process.
 */
export class Celery {
  readonly name: string
  /** Celery's `app.clock`: what this app sends events and remote control with. */
  readonly clock = createLogicalClock()
  #given: CelerySettings
  #settings: Settings
  #log: Log
  #tracing: Tracing | undefined
  readonly #registry = createTaskRegistry(() => this.settings.taskAnnotations)
  readonly #signals = createSignalBus(() => this.log)
  readonly #periodicTasks: PeriodicTask[] = []
  readonly #controlCommands = new Map<string, CustomCommand>()
  readonly #revokeTasks: RevokeTasks = async (ids, options) => {
    await this.control.revoke(ids, options)
  }
  readonly #connections = createConnections({
    settings: () => this.settings,
    log: () => this.log,
    revokeTasks: this.#revokeTasks,
  })
  readonly #events = createAppEvents({
    fanout: () => this.broker.fanout,
    exchange: () => this.settings.eventExchange,
    logicalClock: this.clock,
    log: () => this.log,
  })
  readonly #calls = createCalls({
    settings: () => this.settings,
    connections: this.#connections,
    signals: this.#signals,
    taskSent: this.#events.taskSent,
    taskOptions: (name) => this.tasks.get(name)?.options,
    revokeTasks: this.#revokeTasks,
    startWorker: (options) => this.startWorker(options),
    tracing: () => this.#tracing,
    log: () => this.log,
  })

  /** @throws SettingsError with one line for each setting at fault. */
  constructor(name: string, options: AppOptions = {}) {
    const { log = silentLog, ...settings } = options
    this.name = name
    this.#log = log
    this.#given = settings
    this.#settings = resolveSettings(settings)
  }

  get settings(): Settings {
    return this.#settings
  }

  get log(): Log {
    return this.#tracing === undefined ? this.#log : tracedLog(this.#log, this.#tracing)
  }

  /**
   * Replace some settings before the app is used, as the command's flags do to an app that it loads.
   *
   * @throws InvalidArgumentError where a task was sent, or a worker started, already; SettingsError.
   */
  configure(options: AppOptions): void {
    if (this.#connections.isInUse) {
      throw new InvalidArgumentError(
        `app ${describeValue(this.name)} is in use and cannot be configured any more`,
      )
    }
    const { log = this.#log, ...settings } = options
    const given = { ...this.#given, ...settings }
    this.#settings = resolveSettings(given)
    this.#given = given
    this.#log = log
    this.#registry.annotate()
  }

  /**
   * Register a function as a task under a name that Python may use as well.
   *
   * @throws InvalidArgumentError where the name is taken or the arguments are wrong.
   */
  task<Args extends unknown[], Result>(
    name: string,
    fn: (...args: Args) => Result | Promise<Result>,
  ): Task<Args, Result>
  task<Args extends unknown[], Result>(
    name: string,
    options: BoundTaskOptions,
    fn: (task: TaskContext, ...args: Args) => Result | Promise<Result>,
  ): Task<Args, Result>
  task<Schema extends z.ZodObject, Result>(
    name: string,
    options: ParamsTaskOptions<Schema>,
    fn: (params: z.output<Schema>, task: TaskContext) => Result | Promise<Result>,
  ): ParamsTask<z.input<Schema>, Result>
  task<Args extends unknown[], Result>(
    name: string,
    options: PlainTaskOptions,
    fn: (...args: Args) => Result | Promise<Result>,
  ): Task<Args, Result>
  task(name: string, optionsOrFn: AnyTaskOptions | TaskFunction, fn?: TaskFunction): Task<never, unknown> {
    const options = typeof optionsOrFn === 'function' ? {} : optionsOrFn
    const body = typeof optionsOrFn === 'function' ? optionsOrFn : fn
    const { pack } = this.#registry.register(name, options, body as TaskFunction)
    return createTask({ name, pack, send: this.#calls.call, owner: this.#calls.owner })
  }

  /** A task that only others implement, a Python worker for instance. */
  remoteTask<Args extends readonly unknown[] = unknown[], Result = unknown>(
    name: string,
  ): Task<Args, Result> {
    return createTask({
      name,
      pack: (args, kwargs = {}) => ({ args, kwargs }),
      send: this.#calls.call,
      owner: this.#calls.owner,
    })
  }

  /**
   * A call of a task by its name, or a signature read from what Python or JSON holds, to be sent by this app.
   *
   * @throws InvalidSignatureError for what is no signature.
   */
  signature<Result = unknown>(
    task: string | object,
    parts: SignatureParts = {},
  ): Signature<unknown, Result, AsyncResult<Result>> {
    return createSignature(signatureFrom(task, parts), this.#calls.owner)
  }

  /** Tasks registered here, by name. */
  get tasks(): ReadonlyMap<string, RegisteredTask> {
    return this.#registry.tasks
  }

  /**
   * Send a call by name. Resolves when the message is in its queue.
   *
   * @throws PublishError within `publishTimeoutMs` when the broker cannot be reached, EncodeError,
   *   InvalidArgumentError.
   */
  async sendTask<Result = unknown>(
    name: string,
    args: readonly unknown[] = [],
    kwargs: Readonly<Record<string, unknown>> = {},
    options: SendOptions = {},
  ): Promise<AsyncResult<Result>> {
    return (await this.#calls.call(name, args, kwargs, options)) as AsyncResult<Result>
  }

  /** The result of a task that was sent before, here or elsewhere. */
  asyncResult<Result = unknown>(id: string): AsyncResult<Result> {
    return new AsyncResult<Result>(id, this.backend)
  }

  /**
   * A group that was saved before, here or elsewhere (`GroupResult.save`). It is looked up when its members are asked for,
   * which then throws GroupNotFoundError if nobody saved it.
   */
  groupResult<Results extends readonly unknown[] = unknown[]>(id: string): GroupResult<Results> {
    return savedGroup<Results>(id, this.backend)
  }

  /** Any results, to be looked at together. */
  resultSet<Results extends readonly unknown[] = unknown[]>(
    results: readonly ResultNode[],
  ): ResultSet<Results> {
    return new ResultSet<Results>(results, this.backend)
  }

  /** Have beat send a call by a schedule. Names must be unique; the default one is made from the call. */
  addPeriodicTask(
    schedule: Schedule,
    signature: AnySignature,
    options: { readonly name?: string } = {},
  ): void {
    this.#periodicTasks.push(periodicTask(schedule, signature, options.name, this.#periodicTasks))
  }

  get periodicTasks(): readonly PeriodicTask[] {
    return this.#periodicTasks
  }

  /** What workers and producers tell monitors: receiving it, and sending more. */
  get events(): AppEvents {
    return this.#events
  }

  get broker(): Broker {
    return this.#connections.broker()
  }

  /** Asks workers and tells them what to do, those of Python as well. */
  get control(): Control {
    const { settings, broker, clock: logicalClock, log } = this
    return appControl({ settings, broker, logicalClock, log })
  }

  /**
   * Have workers of this app obey one more command of remote control, to be sent by `control.broadcast`. One of this name
   * that is built in gives way.
   *
   * @throws InvalidArgumentError
   */
  controlCommand(name: string, command: CustomCommand): void {
    checkControlCommand(this.#controlCommands, name, command)
    this.#controlCommands.set(name, command)
  }

  /** Those of {@link controlCommand}, by name. */
  get controlCommands(): ReadonlyMap<string, CustomCommand> {
    return this.#controlCommands
  }

  /** Messages that were set aside: unreadable, refused, or delivered too often. */
  get deadLetters(): DeadLetters {
    return this.broker.deadLetters
  }

  get backend(): ResultBackend {
    return this.#connections.backend()
  }

  /**
   * Be told of what happens to the tasks that this app sends and its workers run; Celery's signals. Listeners are called
   * one after the other, and waited for where they return a promise; their errors are logged and do no other harm.
   *
   * @returns ends the listening.
   * @throws InvalidArgumentError for an unknown name.
   */
  on<Name extends SignalName>(name: Name, listener: SignalListener<Name>): () => void {
    return this.#signals.on(name, listener)
  }

  /**
   * Have spans made of the calls that this app sends, and of what the workers run that it starts from now on. This is
   * what `instrument` of `lovage/opentelemetry` calls.
   *
   * @returns ends it, for calls and for workers to come.
   * @throws InvalidArgumentError where that is done already.
   */
  traceWith(tracing: Tracing): () => void {
    if (this.#tracing !== undefined)
      throw new InvalidArgumentError(`app ${this.name}: it is instrumented already`)
    this.#tracing = tracing
    return () => (this.#tracing = undefined)
  }

  /** Start a worker in this process. Resolves when it consumes. */
  async startWorker(options: WorkerOptions = {}): Promise<RunningWorker> {
    // Imported when called: a process that only sends tasks should not load a worker.
    // eslint-disable-next-line import-x/no-restricted-paths
    const { startWorker } = await import('../worker/worker.js')
    return startWorker(this.workerParts(), options)
  }

  /** What tasks of this app run with: for workers, and for the children of their pools. */
  workerParts(): WorkerParts {
    return {
      settings: this.settings,
      broker: this.broker,
      backend: this.backend,
      tasks: this.tasks,
      send: this.#calls.sender(),
      prepareCanvas: this.#calls.prepareCanvas(),
      logicalClock: this.clock,
      controlCommands: this.#controlCommands,
      signals: this.#signals,
      coordination: this.#connections.coordination,
      tracing: this.#tracing,
      log: this.log,
    }
  }

  /** Let go of all connections, and have spans exported. Workers have to be stopped before. */
  async close(): Promise<void> {
    await this.#calls.close()
    await this.#tracing?.flush()
    await this.#events.close()
    await this.#connections.close()
  }
}
