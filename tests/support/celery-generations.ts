/** A Python Celery to test against. */
export interface CeleryGeneration {
  /** For the names of tests: `current Celery`, `Celery 5.2`. */
  readonly name: string
  /** Its interpreter. */
  readonly python: string
}

/**
 * The Python Celeries that the test command got, newest first: `describe.each(celeryGenerations)('$name', …)`.
 * Where it could get none, tests/setup/requirement-runner.ts skips the tests, which must still be there to be named.
 */
export const celeryGenerations: readonly CeleryGeneration[] = [
  { name: 'current Celery', python: process.env.CELERY_PYTHON },
  { name: 'Celery 5.2', python: process.env.CELERY52_PYTHON },
].flatMap(({ name, python = process.env.TEST_WITHOUT_CELERY && 'python3' }, index, all) =>
  // Where only the system's packages are left, both are the same Python.
  python === undefined || (index > 0 && python === all[0]?.python) ? [] : [{ name, python }],
)
