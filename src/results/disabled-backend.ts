import { ResultBackendDisabledError } from './errors.js'
import type { ResultBackend } from './result-backend.js'

const refuse = (): Promise<never> => Promise.reject(new ResultBackendDisabledError())

/** Keeps nothing: Celery's default where no result backend is set. Asking for a result says so. */
export const disabledBackend: ResultBackend = {
  url: 'disabled://',
  keepsResults: false,
  store: () => Promise.resolve(),
  fetch: refuse,
  fetchMany: refuse,
  forget: () => Promise.resolve(),
  wait: refuse,
  updates: () => {
    throw new ResultBackendDisabledError()
  },
  saveGroup: refuse,
  restoreGroup: refuse,
  deleteGroup: refuse,
  chords: { start: refuse, extend: refuse, addParts: refuse, parts: refuse, traces: refuse, end: refuse },
  ping: () => Promise.resolve(0),
  close: () => Promise.resolve(),
}
