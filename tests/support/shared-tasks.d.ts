import type { Redis } from 'ioredis'
import type { Celery } from '../../src/index.js'

/**
 * Register tasks that tests/interop/python/pytasks.py has under the same names, so that either side may run them.
 *
 * @param notes - for the keys by which tests watch and steer tasks.
 */
export function registerSharedTasks(app: Celery, notes: Redis): void
