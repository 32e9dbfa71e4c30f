import type { Celery } from '../../../../src/index.js'

export function registerWork(app: Celery): void
