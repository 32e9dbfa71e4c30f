import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

export interface ThreadModule {
  readonly url: URL
  /** What has to be imported before it; undefined: nothing. */
  readonly loader: string | undefined
}

/**
 * A module of this project for a thread or process of its own. It is TypeScript where its neighbour is, that is in tests
 * of this project; and what reads that is not inherited by children, and by threads not even as `--import tsx`.
 *
 * @param neighbour - `import.meta.url` of a module.
 * @param name - Relative to that, without an extension.
 */
export function moduleForThread(neighbour: string, name: string): ThreadModule {
  const extension = path.extname(neighbour)
  const url = new URL(`${name}${extension}`, neighbour)
  if (extension !== '.ts') return { url, loader: undefined }
  const found = createRequire(neighbour).resolve('tsx/esm/api').replace('.cjs', '.mjs')
  return { url, loader: `data:text/javascript,import{register}from"${pathToFileURL(found).href}";register()` }
}
