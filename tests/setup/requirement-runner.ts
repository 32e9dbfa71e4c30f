import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { TestRunner, type RunnerTestFile } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    /** Why none of a file's tests ran. */
    skipReason?: string
  }
}

/** Runs nothing of a file whose needs could not be met on this machine, and notes why for the summary. */
export default class RequirementRunner extends TestRunner {
  override onCollectStart(file: RunnerTestFile): void {
    super.onCollectStart(file)
    const reason = unmetRequirement(this.config.name, file.filepath)
    if (reason === undefined) return
    file.meta.skipReason = reason
    // No name matches this, so that tests are skipped and hooks with them.
    this.config.testNamePattern = /(?!)/
  }
}

function unmetRequirement(project: string | undefined, file: string): string | undefined {
  const {
    TEST_WITHOUT_CELERY,
    TEST_WITHOUT_MONITORS,
    TEST_WITHOUT_REDIS_SERVER,
    MONITORS_PYTHON,
    CELERY_PYTHON,
  } = process.env
  if (project === 'interop' && TEST_WITHOUT_CELERY !== undefined) return TEST_WITHOUT_CELERY
  if (MONITORS_PYTHON === undefined && startsMonitor(file))
    return TEST_WITHOUT_MONITORS ?? 'MONITORS_PYTHON is not set'
  if (tracesPython(file) && !hasInstrumentor()) {
    return `there is no opentelemetry-instrumentation-celery for ${CELERY_PYTHON ?? 'CELERY_PYTHON, which is not set'}`
  }
  if (TEST_WITHOUT_REDIS_SERVER !== undefined && startsServers(file)) return TEST_WITHOUT_REDIS_SERVER
  return undefined
}

/** The same for monitors. */
function startsMonitor(file: string): boolean {
  return /from '[^']*\/support\/(?:flower|celery-exporter)\.js'/.test(readFileSync(file, 'utf8'))
}

/** The same for spans of Python's. */
function tracesPython(file: string): boolean {
  return /PYTASKS_TRACES:/.test(readFileSync(file, 'utf8'))
}

/** An interpreter that somebody names may have Celery without it. */
function hasInstrumentor(): boolean {
  const { CELERY_PYTHON } = process.env
  const program = 'import opentelemetry.instrumentation.celery'
  return CELERY_PYTHON !== undefined && spawnSync(CELERY_PYTHON, ['-c', program]).status === 0
}

/** Whether a test file says, by what it imports, that it starts Redis servers of its own. */
function startsServers(file: string): boolean {
  return /from '[^']*\/support\/redis-server\.js'/.test(readFileSync(file, 'utf8'))
}
