import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Celery } from '../app/celery.js'
import { UsageError } from './errors.js'

/**
 * The app that a module exports, as `app` or as its default.
 *
 * @param name - a path in the working directory, or a package that is installed there.
 * @throws UsageError saying what was looked for, or what is wrong with the module.
 */
export async function loadApp(name: string, directory = process.cwd()): Promise<Celery> {
  const file = findModule(name, directory)
  const { app, default: main } = await importModule(name, file)
  const found = app ?? main
  if (found instanceof Celery) return found
  if (found === undefined) throw new UsageError(`-A ${name}: ${file} exports neither app nor a default`)
  throw new UsageError(
    `-A ${name}: what ${file} exports is no Celery of this installation of lovage; is there another one beside it?`,
  )
}

function findModule(name: string, directory: string): string {
  const { resolve } = createRequire(path.join(directory, 'here.js'))
  for (const candidate of [path.resolve(directory, name), name]) {
    try {
      return resolve(candidate)
    } catch {
      // The next one may be there.
    }
  }
  throw new UsageError(`-A ${name}: there is no such file in ${directory}, and no such package`)
}

async function importModule(name: string, file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION') {
      throw new UsageError(
        `-A ${name}: this Node.js does not read TypeScript by itself; compile it and name the .js file, ` +
          "or install tsx and set NODE_OPTIONS='--import tsx'",
        { cause: error },
      )
    }
    throw new UsageError(`-A ${name}: cannot load ${file}: ${describe(error)}`, { cause: error })
  }
}

/** Name, message and place: without the place nobody finds the mistake. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const place = error.stack?.match(/file:\/\/[^\s)]+:\d+/)?.[0]
  return `${error.name}: ${error.message}${place === undefined ? '' : ` (${place})`}`
}
