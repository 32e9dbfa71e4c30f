import { spawnSync } from 'node:child_process'
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
  const here = path.resolve(directory, name)
  for (const candidate of [here, `${here}.ts`, `${here}.mts`, name]) {
    try {
      return resolve(candidate)
    } catch {
      // The next one may be there.
    }
  }
  throw new UsageError(`${flag}: there is no such file in ${directory}, and no such package`)
}

async function importModule(flag: string, file: string): Promise<Record<string, unknown>> {
  const extension = path.extname(file)
  if (UNREADABLE.has(extension))
    throw new UsageError(`${flag}: expected a JavaScript or TypeScript module, not one of ${extension}`)
  try {
    if (TYPESCRIPT.test(file)) await readTypeScript(file)
    return await whileAwaiting(flag, import(pathToFileURL(file).href) as Promise<Record<string, unknown>>)
  } catch (error) {
    if (error instanceof UsageError) throw error
    if (error instanceof Error && 'code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION') {
      throw new UsageError(
        `${flag}: this Node.js does not read TypeScript by itself: install tsx (npm install --save-dev tsx), ` +
          'or compile it and name the .js file',
        { cause: error },
      )
    }
    const place = error instanceof SyntaxError ? placeOfSyntaxError(file) : undefined
    const what = place === undefined ? describeWithPlace(error) : `${String(error)} (${place})`
    throw new UsageError(`${flag}: cannot load ${file}: ${what.replaceAll(/\s*\n\s*/g, ' ')}`, {
      cause: error,
    })
  }
}

/**
 * A module may await something at its top level: that takes its time, about which one wants to be told, or never comes,
 * of which Node.js would end without a word.
 *
 * @throws UsageError where nothing is left that could bring it.
 */
async function whileAwaiting<Value>(flag: string, loading: Promise<Value>): Promise<Value> {
  let end: () => void = () => undefined
  const stuck = new Promise<never>((_, reject) => {
    end = () => reject(new UsageError(`${flag}: an await at the top level of the module never ends`))
  })
  const timer = setTimeout(() => {
    process.stderr.write(`warning: ${flag}: still loading; an await at its top level has not ended\n`)
  }, TELL_AFTER_MS)
  timer.unref()
  process.once('beforeExit', end)
  try {
    return await Promise.race([loading, stuck])
  } finally {
    clearTimeout(timer)
    process.off('beforeExit', end)
  }
}

const TELL_AFTER_MS = 5000
/** What Celery's users name at first. */
const UNREADABLE: ReadonlySet<string> = new Set(['.py', '.pyc', '.json'])

/** Where it is in which file Node.js tells only when it dies of it. What has one is not run, nor what imports it. */
function placeOfSyntaxError(file: string): string | undefined {
  const program = `await import(${JSON.stringify(pathToFileURL(file).href)})`
  const flags = [...process.execArgv, '--input-type=module', '--eval', program]
  const { stderr } = spawnSync(process.execPath, flags, { encoding: 'utf8', timeout: CHECK_WITHIN_MS })
  return /^(?:file:\/\/)?\/\S+:\d+$/m.exec(stderr)?.[0]
}

const CHECK_WITHIN_MS = 5000
const TYPESCRIPT = /\.[cm]?ts$/

/**
 * Have TypeScript read by the tsx that is installed beside a file, for development. It knows more of the language than
 * newer versions of Node.js do by themselves, and finds `shop.ts` where `shop.js` is imported.
 */
async function readTypeScript(file: string): Promise<void> {
  let tsx: string
  try {
    tsx = createRequire(file).resolve('tsx')
  } catch {
    return
  }
  // It registers itself, as by `--import tsx`.
  await import(pathToFileURL(tsx).href)
}
