import { fileURLToPath } from 'node:url'

const FRAME = /^at (?:(.+?) \()?(?:file:\/\/)?(.+?):(\d+):\d+\)?$/

/**
 * The frames of an error in Python's form, the newest call last. As in Python's, what calls the task's function is left
 * out, for everything of it is Lovage's.
 */
export function framesOf(error: Error): string[] {
  const stack = typeof error.stack === 'string' ? error.stack : ''
  // The message comes first and may have lines that look like frames.
  const start = Math.max(0, stack.indexOf(error.message)) + error.message.length
  const frames = stack
    .slice(start)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '))
    .reverse()
    .map(readFrame)
  const first = frames.findIndex(({ owner }) => owner === 'user')
  const innermostOwn = frames.slice(0, first).findLastIndex(({ owner }) => owner === 'runtime')
  return (first === -1 ? frames : frames.slice(innermostOwn + 1)).map(({ text }) => text)
}

interface Frame {
  readonly text: string
  /** Lovage, or whoever stands between it and the user: Node.js, or a tracer. */
  readonly owner: 'runtime' | 'between' | 'user'
}

function readFrame(line: string): Frame {
  const [, name = '<anonymous>', file, number] = FRAME.exec(line) ?? []
  if (file === undefined) return { text: line, owner: 'between' }
  return { text: `File "${file}", line ${number}, in ${name}`, owner: ownerOf(file) }
}

const BETWEEN = /^node:|\/node_modules\/@opentelemetry\//
/** The folder of the package. Undefined where this module is part of a bundle, which tells nobody's frames apart. */
const PACKAGE = /^(.*)(?:src|dist)[\\/]serialization[\\/]/.exec(fileURLToPath(import.meta.url))?.[1]
/** The bundled tasks are a user's. */
const RUNTIME_FOLDER = /^(?:src|dist)[\\/](?!tasks[\\/])/

function ownerOf(file: string): Frame['owner'] {
  if (BETWEEN.test(file)) return 'between'
  const isOwn =
    PACKAGE !== undefined && file.startsWith(PACKAGE) && RUNTIME_FOLDER.test(file.slice(PACKAGE.length))
  return isOwn ? 'runtime' : 'user'
}
