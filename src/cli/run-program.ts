import { CommanderError, type Command } from 'commander'
import { EnvironmentError } from '../app/environment.js'
import { SettingsError } from '../app/settings-error.js'
import { InvalidArgumentError } from '../errors.js'
import { redactUrls } from '../log.js'
import { AlreadyRunsError, NoNodeReplied, UsageError } from './errors.js'

const EXIT_FAILED = 1
const EXIT_USAGE = 2
/** `EX_UNAVAILABLE` of sysexits.h. */
const EXIT_UNAVAILABLE = 69
/** `EX_CANTCREAT`. */
const EXIT_CANNOT_CREATE = 73

/**
 * What `createProgram` returns is run to its end, and the process with it: 0 done, 1 failed, 2 wrong usage, 69 no node
 * replied, 73 it runs already.
 */
export async function runProgram(program: Command): Promise<never> {
  try {
    await program.parseAsync()
  } catch (error) {
    process.exitCode = report(error)
  }
  // A module that `-A` has loaded may hold connections of its own open.
  process.exit()
}

/** Print one line for each fault. @returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
  if (error instanceof EnvironmentError || error instanceof SettingsError) {
    for (const fault of error.faults) print(fault)
    return EXIT_USAGE
  }
  print(error instanceof Error ? error.message : String(error))
  if (error instanceof NoNodeReplied) return EXIT_UNAVAILABLE
  if (error instanceof AlreadyRunsError) return EXIT_CANNOT_CREATE
  return error instanceof UsageError || error instanceof InvalidArgumentError ? EXIT_USAGE : EXIT_FAILED
}

function print(line: string): void {
  process.stderr.write(`error: ${redactUrls(line)}\n`)
}
