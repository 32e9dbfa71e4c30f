// What `npm test` runs. Without arguments: everything. With arguments, which are Vitest's: only the tests they
// name, without the static checks. Says nothing of what succeeds; the last line is `N passed, N failed, N skipped`.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { createRequire } from 'node:module'
import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { obtainCelery } from '../tests/setup/celery.js'
import type { Obtained } from '../tests/setup/obtained.js'
import { obtainRedis } from '../tests/setup/redis.js'
import { runCommand } from '../tests/setup/run-command.js'
import { buildDist } from './build.js'
import type { FlakyTest, SkippedTest, Summary } from './summary-reporter.js'

const STATIC_CHECKS = ['typecheck', 'lint', 'format:check']

/** How a part of the run ended; the parts are added up for the last line. */
interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly SkippedTest[]
  readonly flaky: readonly FlakyTest[]
}

const PASSED: Tally = { passed: 1, failed: 0, skipped: [], flaky: [] }
const FAILED: Tally = { passed: 0, failed: 1, skipped: [], flaky: [] }

async function testEverything(): Promise<readonly Tally[]> {
  const means: Obtained[] = []
  const obtain = async (what: string, from: () => Promise<Obtained>): Promise<void> => {
    const obtained = await from()
    console.log(`${what}: ${obtained.line}`)
    means.push(obtained)
  }
  try {
    const checking = Promise.all(STATIC_CHECKS.map(check))
    const [built] = await Promise.all([build(), obtain('redis', obtainRedis), obtain('celery', obtainCelery)])
    const tallies = [built]
    const env = Object.assign({}, ...means.map((obtained) => obtained.env)) as Record<string, string>
    if (built.failed === 0) tallies.push(await runVitest([], env))
    tallies.push(...(await checking))
    // Where nobody watches, a machine that lacks something must not look like a success.
    const missing = [env.TEST_WITHOUT_REDIS_SERVER, env.TEST_WITHOUT_CELERY].filter(
      (why) => why !== undefined,
    )
    for (const why of process.env.CI === 'true' ? missing : []) {
      console.error(`FAILED: with CI=true every test must run, and there is ${why}`)
      tallies.push(FAILED)
    }
    return tallies
  } finally {
    for (const obtained of means) await obtained.release?.()
  }
}

/** Only the unit tests read sources alone; all others may start what is built. */
async function testSome(args: readonly string[]): Promise<readonly Tally[]> {
  const files = args.filter((arg) => !arg.startsWith('-'))
  const onlyUnit = files.length > 0 && files.every((file) => path.normalize(file).startsWith('tests/unit'))
  const built = onlyUnit ? [] : [await build()]
  return built.some(({ failed }) => failed > 0) ? built : [await runVitest(args, {})]
}

async function build(): Promise<Tally> {
  try {
    await buildDist()
    return PASSED
  } catch (error) {
    console.error(`FAILED: npm run build\n${(error as Error).message}`)
    return FAILED
  }
}

async function check(script: string): Promise<Tally> {
  // They have the time in which tests wait. Without its cache, on a machine that is busy otherwise, the linter takes minutes.
  const options = { timeoutMs: 900_000, priority: constants.priority.PRIORITY_LOW }
  const { code, stdout, stderr } = await runCommand('npm', ['run', '--silent', script], options)
  if (code === 0) return PASSED
  console.error(`FAILED: npm run ${script}\n${stdout}${stderr}`)
  return FAILED
}

async function runVitest(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Tally> {
  const summaryFile = path.resolve(`.cache/test-summary-${process.pid}.json`)
  await mkdir(path.dirname(summaryFile), { recursive: true })
  const vitest = path.join(
    path.dirname(createRequire(import.meta.url).resolve('vitest/package.json')),
    'vitest.mjs',
  )
  const child = spawn(
    process.execPath,
    [vitest, 'run', '--reporter', './scripts/summary-reporter.ts', ...args],
    {
      env: { ...process.env, ...env, TEST_SUMMARY_FILE: summaryFile },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  )
  const ending = await new Promise<string>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`)),
  )
  try {
    const summary = JSON.parse(await readFile(summaryFile, 'utf8')) as Summary
    if (ending === 'code 0' || summary.failed > 0) return summary
    // Vitest fails for more reasons than a summary knows, such as a file that never came to its end.
    console.error(`FAILED: no test failed, and yet vitest ended with ${ending}`)
    return { ...summary, failed: 1 }
  } catch {
    console.error(`FAILED: vitest ended with ${ending} and no result`)
    return FAILED
  } finally {
    await rm(summaryFile, { force: true })
  }
}

/** One line for each test that did not run, or for each file where none of it did. */
function skipLines(skipped: readonly SkippedTest[]): string[] {
  const groups = new Map<string, SkippedTest[]>()
  for (const test of skipped) {
    const key = `${test.file}: ${test.reason}`
    groups.set(key, [...(groups.get(key) ?? []), test])
  }
  return [...groups].flatMap(([key, tests]) =>
    tests.length > 3
      ? [`SKIPPED: ${tests.length} tests of ${key}`]
      : tests.map(({ file, name, reason }) => `SKIPPED: ${file} > ${name}: ${reason}`),
  )
}

const args = process.argv.slice(2)
const tallies = args.length === 0 ? await testEverything() : await testSome(args)
const skipped = tallies.flatMap((tally) => tally.skipped)
const total = (part: 'passed' | 'failed'): number => tallies.reduce((sum, tally) => sum + tally[part], 0)
for (const { file, name, error } of tallies.flatMap((tally) => tally.flaky)) {
  console.log(`FLAKY: ${file} > ${name} passed only when tried again; at first: ${error}`)
}
for (const line of skipLines(skipped)) console.log(line)
console.log(`${total('passed')} passed, ${total('failed')} failed, ${skipped.length} skipped`)
process.exitCode = total('failed') > 0 ? 1 : 0
