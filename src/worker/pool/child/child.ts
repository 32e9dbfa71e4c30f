import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ChildOrders, FromChild, ToChild } from './messages.js'

/** A process or thread in which tasks run, as its worker sees it. */
export interface Child {
  /** Of the process or the thread. */
  readonly id: number
  /** Does nothing when it has ended. */
  send(this: void, message: ToChild): void
  /** Resolves when it has ended, with how, in Celery's words: `exitcode 3`, `signal 9 (SIGKILL)`. */
  readonly ended: Promise<string>
  /** Threads know SIGKILL only. */
  signal(this: void, signal: NodeJS.Signals): void
  /** End it at once, whatever it does. */
  kill(this: void): void
}

/** @param onMessage - called with what it says. */
export type StartChild = (onMessage: (message: FromChild) => void) => Child

export interface ChildProgram {
  readonly orders: ChildOrders
  readonly env: NodeJS.ProcessEnv
}

/**
 * The module that children run, and options for Node.js to read it: it is TypeScript where this one is, that is in tests
 * of this project. Children do not have the loaders of whoever starts them, and threads not even by `--import tsx`.
 */
export function childEntry(): { readonly url: URL; readonly loader: readonly string[] } {
  const extension = path.extname(import.meta.url)
  const url = new URL(`./main${extension}`, import.meta.url)
  if (extension !== '.ts') return { url, loader: [] }
  const api = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm/api')).href.replace(
    '.cjs',
    '.mjs',
  )
  return { url, loader: ['--import', `data:text/javascript,import{register}from"${api}";register()`] }
}
