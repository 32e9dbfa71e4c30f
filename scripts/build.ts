import { execFile } from 'node:child_process'
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'

const SOURCE = 'src'
const OUTPUT = 'dist'
const BUILD_INFO = '.tsbuildinfo'

/**
 * Compile `src/` into `dist/`, put the Lua scripts beside the modules that load them, and drop what no longer has
 * a source. Quick where nothing changed.
 *
 * @throws Error with the compiler's output when `src/` does not compile.
 */
export async function buildDist(): Promise<void> {
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  try {
    await promisify(execFile)(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--pretty', 'false'])
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`the build failed\n${stdout ?? ''}${stderr ?? ''}`, { cause: error })
  }

  const sources = await files(SOURCE)
  const scripts = sources.filter((name) => name.endsWith('.lua'))
  for (const script of scripts) {
    await mkdir(path.join(OUTPUT, path.dirname(script)), { recursive: true })
    await copyFile(path.join(SOURCE, script), path.join(OUTPUT, script))
  }

  const kept = new Set([BUILD_INFO, ...scripts, ...sources.flatMap(compiled)])
  for (const name of await files(OUTPUT)) if (!kept.has(name)) await rm(path.join(OUTPUT, name))
}

/** What the compiler makes of a source file. */
function compiled(name: string): string[] {
  if (!name.endsWith('.ts')) return []
  const stem = name.slice(0, -'.ts'.length)
  return [`${stem}.js`, `${stem}.js.map`, `${stem}.d.ts`]
}

async function files(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
}

if (process.argv[1] === import.meta.filename) await buildDist()
