import { access, constants } from 'node:fs/promises'
import path from 'node:path'

const NAMES = ['redis-server', 'valkey-server']

/** The first server program on the PATH; undefined where there is none. */
export async function findRedisServer(searchPath: string): Promise<string | undefined> {
  for (const name of NAMES) {
    for (const directory of searchPath.split(path.delimiter).filter((each) => each !== '')) {
      const file = path.join(directory, name)
      if (await isExecutable(file)) return file
    }
  }
  return undefined
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
