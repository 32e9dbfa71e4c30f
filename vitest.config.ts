import { availableParallelism } from 'node:os'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import LongFilesFirst from './tests/setup/long-files-first.js'

const workers = Math.max(2, Math.floor(availableParallelism() / 2))

/** A folder of tests that need real servers and processes, and get them from the global setup. */
function realWorld(name: string, testTimeout: number, groupOrder: number): TestProjectInlineConfiguration {
  return {
    test: {
      name,
      // They wait for other programs for a third of their time, or for a while to pass.
      maxWorkers: workers + 1,
      include: [`tests/${name}/**/*.test.ts`],
      globalSetup: ['tests/setup/global-setup.ts'],
      setupFiles: ['tests/setup/no-leftovers.ts'],
      // What is built, and what imports it by its name, is for Node.js to load.
      server: { deps: { external: [/\/dist\//, /\/pools\/apps\/[^/]*\.js$/] } },
      runner: './tests/setup/requirement-runner.ts',
      testTimeout,
      hookTimeout: testTimeout,
      // Their time is that of other programs, on a machine that may be busy. The summary names whatever needed it.
      retry: 1,
      sequence: { groupOrder },
    },
  }
}

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: workers,
    sequence: { sequencer: LongFilesFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['tests/unit/**/*.test.ts'],
          testTimeout: 5_000,
          // They leave nothing behind, and loading the sources once for all is most of what they take.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      // One group after the other: tests that measure time do not compete with those that load the machine.
      realWorld('integration', 30_000, 1),
      realWorld('interop', 120_000, 2),
      realWorld('faults', 60_000, 3),
    ],
  },
})
