import { TestRunner } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    /** Lines that the test command shows also where the test passed. */
    said?: string[]
  }
}

/** Show a line of figures, of a test that measures or counts what it promises. */
export function say(line: string): void {
  console.log(line)
  const test = TestRunner.getCurrentTest()
  if (test !== undefined) (test.meta.said ??= []).push(line)
}
