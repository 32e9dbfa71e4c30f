/** What Celery's `is_due` answers (wire protocol, sections 17.2 and 17.3). */
export interface DueCheck {
  readonly isDue: boolean
  /** Milliseconds: to the next due time after now where due, else to the one that is waited for. */
  readonly nextCheckMs: number
}

/** What a schedule takes from the application's settings where it says nothing itself. */
export interface ScheduleDefaults {
  /** IANA name. Celery's `timezone`. */
  readonly timezone?: string | undefined
  /** Seconds. Celery's `beat_cron_starting_deadline`. */
  readonly cronStartingDeadline?: number | undefined
}

/**
 * When something is to run. Pure: the times come in, nothing waits.
 *
 * However many runs were missed, they are due as one.
 */
export interface Schedule {
  isDue(lastRunAt: Date, now: Date): DueCheck
  /** The first due time after a run; always later than `lastRunAt`, except for an interval of 0. */
  nextDue(lastRunAt: Date): Date
  /**
   * The last run time to keep when everything that is due at `now` has been run as one, so that what beat is
   * late does not add up.
   */
  settledAt(lastRunAt: Date, now: Date): Date
  /** The same schedule with `defaults` where nothing was chosen for it. */
  withDefaults(defaults: ScheduleDefaults): Schedule
  /** For people: `crontab 0 4 * * mon-fri (Europe/Berlin)`, `every 30 s`. */
  describe(): string
}

/** Whether `value` was made by `crontab` or `every`, or follows their interface. */
export function isSchedule(value: unknown): value is Schedule {
  return (
    typeof value === 'object' &&
    value !== null &&
    'isDue' in value &&
    typeof value.isDue === 'function' &&
    'nextDue' in value &&
    typeof value.nextDue === 'function'
  )
}
