export { Celery, type AppOptions } from './app/celery.js'
export type { PeriodicTask } from './app/periodic-tasks.js'
export { chain } from './canvas/chain.js'
export { chord } from './canvas/chord.js'
export { group } from './canvas/group.js'
export { signature } from './canvas/signature.js'
export type {
  AnySignature,
  ApplyCall,
  PartialCall,
  Signature,
  SignatureOptions,
  SignatureParts,
  StampCall,
} from './canvas/signature-types.js'
export type { SignatureData } from './canvas/signature-data.js'
export type { StampingVisitor, Stamps, StampsGiven } from './canvas/stamp.js'
export { InvalidSignatureError } from './canvas/errors.js'
export { crontab } from './schedules/crontab.js'
export { every } from './schedules/interval.js'
export type { Schedule } from './schedules/schedule.js'
export type { Task, ParamsTask, ApplyOptions } from './app/task.js'
export type { Linked, SendOptions } from './app/send-task.js'
export type { TaskContext, TaskRequest, RetryOptions } from './app/task-context.js'
export type {
  TaskOptions,
  TaskHooks,
  PlainTaskOptions,
  BoundTaskOptions,
  ParamsTaskOptions,
} from './app/task-options.js'
export type {
  Publication,
  ChildSignal,
  RunSignal,
  RunState,
  SignalListener,
  SignalName,
  Signals,
  TaskSignal,
  WorkerSignal,
} from './app/signals.js'
export type { AnnotationFunction, AnnotationMap, TaskAnnotations } from './app/annotations.js'
export type { CredentialsProvider, RedisCredentials } from './redis/credentials.js'
export type { BrokerTransportOptions, CelerySettings } from './app/celery-settings.js'
export type { Settings } from './app/settings.js'
export type {
  Autoscale,
  PoolKind,
  RunningPool,
  RunningWorker,
  WorkerOptions,
  WorkerCounts,
} from './app/worker-options.js'
export {
  Ignore,
  MaxRetriesExceededError,
  MemoryLimitExceeded,
  NotRegistered,
  Reject,
  Replace,
  Retry,
  SoftTimeLimitExceeded,
  TaskRevokedError,
  TimeLimitExceeded,
  WorkerLostError,
} from './app/outcomes.js'
export { UniqueConflictError, type UniqueOptions } from './app/unique-calls.js'
export type { LimitKey, RateLimit, SharedRateLimit } from './app/rate-limit.js'
export { InvalidParamsError } from './app/bind-arguments.js'
export { AsyncResult, type GetOptions } from './results/async-result.js'
export { isNodeError } from './control/replies.js'
export type { ControlCommandContext, CustomCommand } from './app/control-command.js'
export type { CommandOptions, ConsumerDeclaration, Control, RevokeOptions } from './control/control.js'
export type { ControlOptions } from './control/options.js'
export type { Inspect } from './control/inspect.js'
export type {
  Acknowledgement,
  Hello,
  NodeError,
  NodeReplies,
  QueriedTasks,
  QueueInfo,
  ScheduledTask,
  TaskInfo,
  WorkerStats,
} from './control/replies.js'
export { GroupResult } from './results/group-result.js'
export { ResultSet } from './results/result-set.js'
export type { ResultNode, ResultTreeStep } from './results/joining.js'
export type { ResultTuple } from './serialization/result-tuple.js'
export type { ResultMeta } from './serialization/result-meta.js'
export {
  GetInsideTaskError,
  GroupNotFoundError,
  ResultBackendDisabledError,
  ResultRefusedError,
  ResultTimeoutError,
  ResultTooLargeError,
} from './results/errors.js'
export { TaskError } from './serialization/exceptions.js'
export { pythonErrors, type PythonErrorClass } from './serialization/python-errors.js'
export { Decimal, Uuid } from './serialization/python-types.js'
export { EncodeError } from './serialization/errors.js'
export { PublishError } from './broker/errors.js'
export type { DeadLetter, DeadLetterFilter, DeadLetters } from './broker/broker.js'
export type { LossCause, LostDelivery } from './serialization/earlier-deliveries.js'
export { LovageError, InvalidArgumentError, TimeoutError } from './errors.js'
export { createLog, type Log } from './log.js'
export type { AppEvents } from './events/app-events.js'
export type { CeleryEvent, EventFields } from './events/event.js'
export type {
  CaptureOptions,
  EventHandler,
  EventHandlers,
  EventReceiver,
  ReceiverOptions,
} from './events/receiver.js'
export type { State, StateOptions } from './events/state.js'
export type { TaskState } from './events/task-state.js'
export type { WorkerState } from './events/worker-state.js'
