import { readFileSync } from 'node:fs'
import path from 'node:path'

export const PROJECT = path.resolve(import.meta.dirname, '../..')

/** A fenced block of a document. */
export interface CodeBlock {
  /** What stands behind the fence: `sh`, `ts`, `python`; '' for none. */
  readonly language: string
  readonly code: string
}

/** The fenced blocks of a document of this project, in their order. */
export function codeBlocks(document: string): readonly CodeBlock[] {
  const text = readFileSync(path.join(PROJECT, document), 'utf8')
  return [...text.matchAll(/^```(.*)\n([^]*?)^```$/gm)].map(([, language = '', code = '']) => ({
    language: language.trim(),
    code,
  }))
}
