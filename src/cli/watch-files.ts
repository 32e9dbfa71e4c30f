import { watch, type FSWatcher } from 'node:fs'
import path from 'node:path'

/** Tells of changes of some files. */
export interface FileWatch {
  /** Watch one more. */
  add(this: void, file: string): void
  /** The next file that changes from now on, when it and others have been left alone for a moment. */
  nextChange(): Promise<string>
  close(): void
}

/** Editors and compilers write in several steps, and several files. */
const SETTLE_MS = 100

/** Folders are watched, not files: editors replace a file by another one of its name. */
export function watchFiles(): FileWatch {
  const files = new Set<string>()
  const folders = new Map<string, FSWatcher>()
  let settling: NodeJS.Timeout | undefined
  let onChange: (file: string) => void = () => undefined

  const watchFolder = (folder: string): void => {
    if (folders.has(folder)) return
    try {
      const watcher = watch(folder, (_, name) => {
        const file = path.join(folder, name ?? '')
        if (!files.has(file)) return
        clearTimeout(settling)
        settling = setTimeout(() => onChange(file), SETTLE_MS)
      })
      // A folder that goes takes its files along; that is no change to wait for.
      watcher.on('error', () => folders.delete(folder))
      folders.set(folder, watcher)
    } catch {
      // It is not there.
    }
  }

  return {
    add(file) {
      files.add(file)
      watchFolder(path.dirname(file))
    },
    nextChange: () => new Promise((resolve) => (onChange = resolve)),
    close() {
      clearTimeout(settling)
      folders.forEach((watcher) => watcher.close())
    },
  }
}
