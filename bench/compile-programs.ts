import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import ts from 'typescript'

const SOURCE = path.resolve(import.meta.dirname, 'programs')
const OUTPUT = path.resolve('.cache/bench')

/**
 * Compile bench/programs, so that no measured process runs a TypeScript loader.
 *
 * @returns the directory of the compiled programs.
 */
export async function compilePrograms(): Promise<string> {
  await mkdir(OUTPUT, { recursive: true })
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 }
  for (const name of (await readdir(SOURCE)).filter((each) => each.endsWith('.ts'))) {
    const source = await readFile(path.join(SOURCE, name), 'utf8')
    const { outputText } = ts.transpileModule(source, { compilerOptions, fileName: name })
    await writeFile(path.join(OUTPUT, name.replace(/\.ts$/, '.js')), outputText)
  }
  return OUTPUT
}
