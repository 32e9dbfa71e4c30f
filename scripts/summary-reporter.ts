import { writeFileSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'
import { MinimalReporter, type TestCase, type TestModule } from 'vitest/node'
import type { SerializedError } from 'vitest'
import type {} from '../tests/support/say.js'

/** What a run came to, as the test command reads it. */
export interface Summary {
  readonly passed: number
  /** Tests, files that could not be loaded, and errors that no test caught. */
  readonly failed: number
  readonly skipped: readonly SkippedTest[]
  /** Tests that failed and, tried again, passed: bugs of the test, or rare ones of the program. */
  readonly flaky: readonly FlakyTest[]
}

export interface FlakyTest {
  readonly file: string
  readonly name: string
  /** What the first try failed with. */
  readonly error: string
}

export interface SkippedTest {
  readonly file: string
  readonly name: string
  readonly reason: string
}

/** Says nothing but what failed and what tests `say`, and writes the {@link Summary} to the file named by `TEST_SUMMARY_FILE`. */
export default class SummaryReporter extends MinimalReporter {
  override onTestCaseResult(test: TestCase): void {
    super.onTestCaseResult(test)
    for (const line of test.meta().said ?? []) console.log(line)
  }

  override onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly SerializedError[],
    reason: 'passed' | 'interrupted' | 'failed',
  ): void {
    // A run of tests that all passed may still have an error that none of them caught.
    if (reason !== 'passed' || unhandledErrors.length > 0)
      super.onTestRunEnd(modules, unhandledErrors, reason)
    const file = process.env.TEST_SUMMARY_FILE
    if (file !== undefined) writeFileSync(file, JSON.stringify(summarize(modules, unhandledErrors)))
  }
}

function summarize(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): Summary {
  let passed = 0
  let failed = unhandledErrors.length
  const skipped: SkippedTest[] = []
  const flaky: FlakyTest[] = []
  for (const module of modules) {
    const before = failed
    for (const test of module.children.allTests()) {
      const result = test.result()
      if (result.state === 'passed') {
        passed += 1
        const error = result.errors?.[0]
        if (error) flaky.push({ file: module.relativeModuleId, name: test.fullName, error: describe(error) })
      } else if (result.state === 'skipped') {
        const reason = module.meta().skipReason ?? result.note ?? 'no reason given'
        skipped.push({ file: module.relativeModuleId, name: test.fullName, reason })
      } else failed += 1
    }
    // A hook or an import may fail although no test did.
    if (module.state() === 'failed' && failed === before) failed += 1
  }
  return { passed, failed, skipped, flaky }
}

/** With what was expected and what was received, where the message says that both differ: it will not be seen again. */
function describe({ message, diff = '' }: { message: string; diff?: string }): string {
  const differing = stripVTControlCharacters(diff)
    .split('\n')
    .filter((line) => /^[-+]/.test(line))
  return [message, ...differing].join('\n  ')
}
