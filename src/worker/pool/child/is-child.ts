import { fileURLToPath } from 'node:url'
import { isMainThread, workerData } from 'node:worker_threads'
import { moduleForThread } from '../../../thread-module.js'

/** Whether this process or thread is a child of a worker's pool. */
export function isPoolChild(): boolean {
  if (isMainThread) return process.argv[1] === fileURLToPath(moduleForThread(import.meta.url, './main').url)
  return typeof workerData === 'object' && workerData !== null && 'reportsMemory' in workerData
}
