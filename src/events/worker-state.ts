import type { CeleryEvent } from './event.js'

/** What events tell of a worker. */
export interface WorkerState {
  /** Node name. */
  readonly hostname: string
  readonly pid: number | undefined
  /** Seconds between two heartbeats. */
  readonly freq: number
  /** When the last four signs of life were received, oldest first, in Unix seconds; none after it went offline. */
  readonly heartbeats: readonly number[]
  readonly clock: number
  /** Tasks that run, and those that have begun since its start. */
  readonly active: number | undefined
  readonly processed: number | undefined
  readonly loadavg: readonly number[] | undefined
  /** What software it is: `py-celery`, `lovage`. */
  readonly swIdent: string | undefined
  readonly swVer: string | undefined
  readonly swSys: string | undefined
}

const MOST_HEARTBEATS = 4
const DEFAULT_FREQ = 60
/** Of heartbeats that may fail to come before a worker is taken for dead. */
const PATIENCE = 2

export function newWorkerState(hostname: string): WorkerState {
  return {
    hostname,
    pid: undefined,
    freq: DEFAULT_FREQ,
    heartbeats: [],
    clock: 0,
    active: undefined,
    processed: undefined,
    loadavg: undefined,
    swIdent: undefined,
    swVer: undefined,
    swSys: undefined,
  }
}

/** The state after one of its own events, `worker-…`. */
export function withWorkerEvent(state: WorkerState, event: CeleryEvent): WorkerState {
  const { pid, freq, clock, active, processed, loadavg } = event
  const seen = withSignOfLife(state, event)
  return {
    ...seen,
    heartbeats: event.type === 'worker-offline' ? [] : seen.heartbeats,
    pid: pid ?? state.pid,
    freq: numberOf(freq) || state.freq,
    clock,
    active: numberOf(active) ?? state.active,
    processed: numberOf(processed) ?? state.processed,
    loadavg: Array.isArray(loadavg) ? (loadavg as number[]) : state.loadavg,
    swIdent: textOf(event['sw_ident']) ?? state.swIdent,
    swVer: textOf(event['sw_ver']) ?? state.swVer,
    swSys: textOf(event['sw_sys']) ?? state.swSys,
  }
}

/** The state after any event that comes from it. */
export function withSignOfLife(state: WorkerState, event: CeleryEvent): WorkerState {
  const heartbeats = [...state.heartbeats, event.local_received].sort((one, other) => one - other)
  return { ...state, heartbeats: heartbeats.slice(-MOST_HEARTBEATS) }
}

/** @param now - Unix seconds. */
export function isAlive({ heartbeats, freq }: WorkerState, now: number): boolean {
  const last = heartbeats.at(-1)
  return last !== undefined && now < last + freq * PATIENCE
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
