import { ResultBackendDisabledError } from './errors.js'
import type { ResultBackend } from './result-backend.js'

/** Keeps nothing: Celery's default where no result backend is set. Asking for a result says so. */
export const disabledBackend: ResultBackend = {
  url: 'disabled://',
  keepsResults: false,
  store: () => Promise.resolve(),
  fetch: () => Promise.reject(new ResultBackendDisabledError()),
  forget: () => Promise.resolve(),
  wait: () => Promise.reject(new ResultBackendDisabledError()),
  updates: () => {
    throw new ResultBackendDisabledError()
  },
  ping: () => Promise.resolve(0),
  close: () => Promise.resolve(),
}
