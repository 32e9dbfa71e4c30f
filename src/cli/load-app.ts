import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { appOf } from '../app/app-of-module.js'
import { describeWithPlace, InvalidArgumentError } from '../errors.js'
import { UsageError } from './errors.js'
import type { Celery } from '../app/celery.js'

/**
 * The app that a module exports, as `app` or as its default.
 *
 * @param name - a path in the working directory, or a package that is installed there.
 * @throws UsageError saying what was looked for, or what is wrong with the module.
 */
export async function loadApp(name: string): Promise<Celery> {
  const flag = `-A ${name}`
  const { file, exports } = await importNamed(flag, name)
  try {
    return appOf(file, exports)
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    throw new UsageError(`${flag}: ${error.message}`, { cause: error })
  }
}

/** Load a module that a flag names. @throws UsageError as {@link loadApp} does. */
export async function importNamed(
  flag: string,
  name: string,
): Promise<{ readonly file: string; readonly exports: Record<string, unknown> }> {
  const file = findModule(flag, name)
  return { file, exports: await importModule(flag, file) }
}

/** The file of a module that a flag names. @throws UsageError */
export function findModule(flag: string, name: string): string {
  const directory = process.cwd()
  const { resolve } = createRequire(path.join(directory, 'here.js'))
  for (const candidate of [path.resolve(directory, name), name]) {
    try {
      return resolve(candidate)
    } catch {
      // The next one may be there.
    }
  }
  throw new UsageError(`${flag}: there is no such file in ${directory}, and no such package`)
}

async function importModule(flag: string, file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION') {
      throw new UsageError(
        `${flag}: this Node.js does not read TypeScript by itself; compile it and name the .js file, ` +
          "or install tsx and set NODE_OPTIONS='--import tsx'",
        { cause: error },
      )
    }
    throw new UsageError(`${flag}: cannot load ${file}: ${describeWithPlace(error)}`, { cause: error })
  }
}
