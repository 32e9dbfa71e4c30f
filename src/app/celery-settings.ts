import type { CredentialsProvider } from '../redis/credentials.js'
import type { JsonForm } from '../serialization/json.js'
import type { TaskAnnotations } from './annotations.js'
import type { RateLimit } from './rate-limit.js'
import type { TaskRoutes } from './routing.js'
import type { TlsOptions } from '../redis/endpoint.js'

/** Celery's `broker_transport_options` for Redis. Whatever names a key has to be the same for all peers. */
export interface BrokerTransportOptions {
  /**
   * `visibility_timeout`: seconds after which an unacked message that nobody renews may be restored by any worker.
   * Workers here renew what they hold, so tasks and ETAs may last longer. Python workers do not: where they share
   * the queue, keep this above the longest ETA and task, or those run twice. @default 3600
   */
  readonly visibilityTimeout?: number | undefined
  /** `global_keyprefix`: stands in front of every key and channel, without a separator of its own. @default '' */
  readonly globalKeyprefix?: string | undefined
  /** `priority_steps`: ascending, from 0 to 9; each has a list of its own. @default [0, 3, 6, 9] */
  readonly prioritySteps?: readonly number[] | undefined
  /** `sep`: between a queue's name and its priority. @default '\x06\x16' */
  readonly sep?: string | undefined
  /** `queue_order_strategy`: whose turn it is within a priority. @default 'round_robin' */
  readonly queueOrderStrategy?: 'round_robin' | 'sorted' | 'priority' | undefined
  /** `unacked_key` @default 'unacked' */
  readonly unackedKey?: string | undefined
  /** `unacked_index_key` @default 'unacked_index' */
  readonly unackedIndexKey?: string | undefined
  /** `unacked_mutex_key` @default 'unacked_mutex' */
  readonly unackedMutexKey?: string | undefined
  /** `master_name`: of the primary that the sentinels watch; needed for `sentinel://`. */
  readonly masterName?: string | undefined
  /** `sentinel_kwargs`: how to log in to the sentinels themselves. */
  readonly sentinelKwargs?: SentinelKwargs | undefined
  /** `socket_timeout`: seconds for which the server may say nothing while it owes a reply. @default 10 */
  readonly socketTimeout?: number | undefined
  /** `socket_connect_timeout`: seconds for one attempt to connect. @default 5 */
  readonly socketConnectTimeout?: number | undefined
}

/** Celery's `result_backend_transport_options`. */
export interface ResultBackendTransportOptions {
  /**
   * `global_keyprefix`: stands in front of the keys of results, with an underscore between unless it ends in one of
   * `: _ - .` (wire protocol, section 9). @default ''
   */
  readonly globalKeyprefix?: string | undefined
  /**
   * `result_chord_ordered`: record the parts of chords by their index; the same for all peers. False is for Celery 4, and
   * slower. @default true
   */
  readonly resultChordOrdered?: boolean | undefined
  /** `master_name`: see {@link BrokerTransportOptions}. */
  readonly masterName?: string | undefined
  /** `sentinel_kwargs` */
  readonly sentinelKwargs?: SentinelKwargs | undefined
}

export interface SentinelKwargs {
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** Celery's settings in camelCase, with Celery's meaning, unit and default unless said otherwise. */
export interface CelerySettings {
  /** `broker_url`: see the README for its schemes. @default 'redis://localhost:6379/0' */
  readonly broker?: string | undefined
  /** `result_backend`: a URL of the same kinds. @default none: results are discarded */
  readonly backend?: string | undefined
  /** `broker_transport_options` */
  readonly brokerTransportOptions?: BrokerTransportOptions | undefined
  /** `result_backend_transport_options` */
  readonly resultBackendTransportOptions?: ResultBackendTransportOptions | undefined
  /**
   * Not of Celery: gets the user and password of the broker for every connection that is opened, for passwords that
   * rotate and tokens that expire, instead of what the URL says. Where it tells when they expire (`expiresAt`), open
   * connections log in with new ones before that. @default those of the URL
   */
  readonly brokerCredentials?: CredentialsProvider | undefined
  /** Not of Celery: the same for the result backend. @default those of the URL */
  readonly backendCredentials?: CredentialsProvider | undefined
  /** `broker_use_ssl`: encrypts the broker's connections; the query of the URL comes first. @default by the URL */
  readonly brokerUseSsl?: boolean | TlsOptions | undefined
  /** `redis_backend_use_ssl`: the same for the result backend. @default by the URL */
  readonly redisBackendUseSsl?: boolean | TlsOptions | undefined
  /** `redis_socket_timeout`: as the broker's `socketTimeout`, for the result backend; in seconds. @default 10 */
  readonly redisSocketTimeout?: number | undefined
  /** `redis_socket_connect_timeout`: seconds. @default 5 */
  readonly redisSocketConnectTimeout?: number | undefined

  /** `task_default_queue` @default 'celery' */
  readonly taskDefaultQueue?: string | undefined
  /** `task_default_priority`: 0 to 9, on Redis 0 is the most urgent. @default none, which counts as 0 */
  readonly taskDefaultPriority?: number | undefined
  /** `task_queues`: names of the queues a worker consumes unless it is told others. @default the default queue */
  readonly taskQueues?: readonly string[] | undefined
  /** `task_routes`: which task goes to which queue. @default none: the default queue */
  readonly taskRoutes?: TaskRoutes | undefined
  /** `task_serializer` @default 'json' */
  readonly taskSerializer?: 'json' | 'yaml' | 'msgpack' | 'auth' | undefined
  /** `result_serializer` @default 'json' */
  readonly resultSerializer?: 'json' | 'yaml' | 'msgpack' | 'auth' | undefined
  /** `accept_content`: serializers or content types of messages that are decoded; never pickle. @default ['json'] */
  readonly acceptContent?: readonly string[] | undefined
  /** `result_accept_content`: the same for results. @default `acceptContent` */
  readonly resultAcceptContent?: readonly string[] | undefined
  /** `task_compression`: `zlib`, `gzip`, `brotli` or `zstd`. @default none */
  readonly taskCompression?: string | undefined
  /** `task_protocol`: only version 2 is written; both are read. @default 2 */
  readonly taskProtocol?: 2 | undefined
  /**
   * `task_annotations`: options of tasks by their names, globs among them (`*` for all), or functions that are asked for
   * each task; they replace what the task says of itself, the later ones what the earlier ones say. @default none
   */
  readonly taskAnnotations?: TaskAnnotations | undefined
  /**
   * `task_always_eager`, for tests: who sends a call gets it back when it has run, in this process; nothing is connected,
   * whatever the URLs are, ETAs are now, and limits do not count. @default false
   */
  readonly taskAlwaysEager?: boolean | undefined
  /** `task_eager_propagates`: sending throws then what the task threw. @default false */
  readonly taskEagerPropagates?: boolean | undefined
  /** `task_ignore_result`: keep no results unless the task says otherwise. @default false */
  readonly taskIgnoreResult?: boolean | undefined
  /** `task_store_errors_even_if_ignored`: store failures of tasks whose results are not kept. @default false */
  readonly taskStoreErrorsEvenIfIgnored?: boolean | undefined
  /** `task_track_started`: report the state STARTED. @default false */
  readonly taskTrackStarted?: boolean | undefined
  /** `task_send_sent_event`: who sends a task says so to monitors, `task-sent`. @default false */
  readonly taskSendSentEvent?: boolean | undefined
  /** `task_inherit_parent_priority`: what follows a task, or is called within it, is sent with its priority. @default false */
  readonly taskInheritParentPriority?: boolean | undefined
  /** `task_allow_error_cb_on_chord_header`: errbacks of a chord are those of each task of its header, too. @default false */
  readonly taskAllowErrorCbOnChordHeader?: boolean | undefined
  /** `task_acks_late`: acknowledge after the result is stored. @default true; Celery's is false */
  readonly taskAcksLate?: boolean | undefined
  /**
   * `task_acks_on_failure_or_timeout`: a message is done with when its task has failed; false: it goes to the dead
   * letters. @default true
   */
  readonly taskAcksOnFailureOrTimeout?: boolean | undefined
  /**
   * `task_reject_on_worker_lost`: run a task again whose worker died while it ran; else it fails with
   * WorkerLostError, and its message goes to the dead letters. @default true; Celery's is false
   */
  readonly taskRejectOnWorkerLost?: boolean | undefined
  /** Not of Celery: how often a message is delivered before it goes to the dead letters instead. @default 5 */
  readonly taskMaxDeliveries?: number | undefined
  /** `task_default_rate_limit`: of tasks that say nothing of it, such as `10/m`; in each worker. @default none */
  readonly taskDefaultRateLimit?: RateLimit | undefined
  /** `task_time_limit`: seconds after which a task fails. @default none */
  readonly taskTimeLimit?: number | undefined
  /** `task_soft_time_limit`: seconds after which a task is asked to end. @default none */
  readonly taskSoftTimeLimit?: number | undefined
  /** `task_default_delivery_mode`: without an effect on Redis, but written in every message. @default 2 */
  readonly taskDefaultDeliveryMode?: 1 | 2 | undefined

  /** `result_expires`: seconds for which results are kept; 0 or null for ever. @default 86400 */
  readonly resultExpires?: number | null | undefined
  /** `result_extended`: store name, arguments, worker, retries and queue with a result. @default false */
  readonly resultExtended?: boolean | undefined
  /**
   * Not of Celery: bytes that a stored result may have; a task whose result is larger fails with RESULT_TOO_LARGE. 0: any
   * number. Results are announced whole, and Redis cuts off who is 32 MiB behind. @default 33554432
   */
  readonly resultMaxBytes?: number | undefined
  /**
   * `result_chord_join_timeout`: seconds for which who completes a chord waits for results of its header, where this
   * holds groups. @default 3
   */
  readonly resultChordJoinTimeout?: number | undefined

  /** Not of Celery: how many dead letters are kept; the oldest go first. @default 10000 */
  readonly deadLetterMaxCount?: number | undefined
  /** Not of Celery: seconds for which dead letters are kept; 0 or null for ever. @default 15552000, 180 days */
  readonly deadLetterExpires?: number | null | undefined

  /**
   * `worker_pool`: where tasks run. `async`: on the event loop; `solo`: there, one at a time; `threads` and `processes`
   * (`prefork`): in children, one at a time in each, for tasks that compute. @default 'async'; Celery's is prefork
   */
  readonly workerPool?:
    'async' | 'solo' | 'threads' | 'processes' | 'prefork' | 'gevent' | 'eventlet' | undefined
  /** `worker_concurrency`: how many tasks run at once. @default 100 on the event loop, else the number of CPUs */
  readonly workerConcurrency?: number | undefined
  /** `worker_max_tasks_per_child`: a child is replaced after so many tasks. @default none: never */
  readonly workerMaxTasksPerChild?: number | undefined
  /**
   * `worker_max_memory_per_child`: KiB after which a child is replaced when its task has ended: resident memory of a
   * process, heap and Buffers of a thread. @default none: never
   */
  readonly workerMaxMemoryPerChild?: number | undefined
  /**
   * Not of Celery: KiB of memory beyond which a child is ended at once, whatever it runs; its task fails with
   * MemoryLimitExceeded. Resident memory of a process, heap and Buffers of a thread. @default none
   */
  readonly workerHardMemoryLimit?: number | undefined
  /**
   * `worker_pool_restarts`: whether remote control may have the children of a pool replaced, which import the app anew
   * (`pool_restart`). @default false
   */
  readonly workerPoolRestarts?: boolean | undefined
  /** `worker_proc_alive_timeout`: seconds within which a child has to be ready. @default 30; Celery's is 4 */
  readonly workerProcAliveTimeout?: number | undefined
  /**
   * `worker_prefetch_multiplier`: messages held for each slot; 0 for any number. @default none: one for each slot, and
   * what begins within moments; Celery's is 4
   */
  readonly workerPrefetchMultiplier?: number | undefined
  /**
   * Not of Celery: bytes of messages after which a worker claims no more until one is done with, be it waiting or
   * running; 0: any number. One of any length is claimed where none is held. @default 134217728
   */
  readonly workerPrefetchMaxBytes?: number | undefined
  /** `worker_disable_rate_limits`: pay no heed to rate limits, shared ones included. @default false */
  readonly workerDisableRateLimits?: boolean | undefined
  /** `worker_send_task_events`: workers send events of tasks from the start, not only when asked. @default false */
  readonly workerSendTaskEvents?: boolean | undefined
  /** Not of Celery: seconds for which a worker that stops lets its tasks finish. @default 25 */
  readonly workerShutdownTimeout?: number | undefined
  /** Not of Celery: seconds without a sign of life after which a worker's messages are put back. @default 30 */
  readonly workerLease?: number | undefined

  /** `worker_enable_remote_control`: workers obey remote control. @default true */
  readonly workerEnableRemoteControl?: boolean | undefined
  /** `control_exchange`: names the exchange of remote control, the same for all peers. @default 'celery' */
  readonly controlExchange?: string | undefined
  /** `event_exchange`: names the exchange of events, the same for all peers. @default 'celeryev' */
  readonly eventExchange?: string | undefined
  /** `worker_state_db`: file that keeps what is revoked between a worker's runs, in a format of its own. @default none */
  readonly workerStateDb?: string | undefined
  /** Celery's `CELERY_WORKER_REVOKES_MAX`: how many revocations are remembered, the latest ones. @default 50000 */
  readonly workerRevokesMax?: number | undefined
  /**
   * Celery's `CELERY_WORKER_REVOKE_EXPIRES`: seconds for which they are. Longer than any ETA, or a task that is far away
   * runs after all. @default 86400; Celery's is 10800
   */
  readonly workerRevokeExpires?: number | undefined

  /** `timezone`: IANA name, for crontabs. @default 'UTC' */
  readonly timezone?: string | undefined
  /** `beat_schedule`: periodic tasks by name, in Celery's form. @default {} */
  readonly beatSchedule?: Readonly<Record<string, unknown>> | undefined
  /** `beat_max_loop_interval`: seconds between two looks at the schedule at most. @default 300 */
  readonly beatMaxLoopInterval?: number | undefined
  /** `beat_cron_starting_deadline`: seconds after which a missed crontab run is skipped. @default none: it is made up */
  readonly beatCronStartingDeadline?: number | undefined

  /** `security_key`: file of the private RSA key that the serializer `auth` signs with. @default none */
  readonly securityKey?: string | undefined
  /** `security_key_password` @default none */
  readonly securityKeyPassword?: string | undefined
  /** `security_certificate`: file of its X.509 certificate. @default none */
  readonly securityCertificate?: string | undefined
  /** `security_cert_store`: folder, or pattern of files, of the certificates that `auth` trusts. @default none */
  readonly securityCertStore?: string | undefined
  /** `security_digest` @default 'sha256' */
  readonly securityDigest?: 'sha224' | 'sha256' | 'sha384' | 'sha512' | undefined
  /** Not of Celery: how `auth` is written; peers before Celery 5.5 read the older one. @default 'celery-5.5' */
  readonly securityLayout?: 'celery-5.5' | 'celery-5.2' | undefined
  /**
   * Not of Celery: messages are signed with the first of these (HMAC-SHA256), and taken when any has signed them.
   * Each has at least 32 characters. @default none: nothing is signed
   */
  readonly messageSecrets?: readonly string[] | undefined
  /** Not of Celery: with `messageSecrets`, take messages that are not signed as well. @default false */
  readonly acceptUnsignedMessages?: boolean | undefined

  /** Not of Celery: milliseconds within which sending a task succeeds or fails. @default 5000 */
  readonly publishTimeoutMs?: number | undefined
  /** Not of Celery: `plain` writes dates, UUIDs and decimals as peers before kombu 5.3 read them. @default 'tagged' */
  readonly jsonForm?: JsonForm | undefined
}
