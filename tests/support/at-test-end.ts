import { onTestFinished, TestRunner } from 'vitest'

/**
 * Do this when the running test ends, whether it passes or not. Outside of a test (in `beforeAll`) nothing is
 * registered, and whoever started the thing stops it; what is forgotten is found by tests/setup/no-leftovers.ts.
 */
export function atTestEnd(cleanUp: () => void | Promise<void>): void {
  if (TestRunner.getCurrentTest() !== undefined) onTestFinished(cleanUp)
}
