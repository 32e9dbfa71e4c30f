import { mkdir, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { lastLine, runCommand, type CommandOptions, type CommandResult } from './run-command.js'

/** Thrown when the system has no apt, or apt has not what was asked for. Nothing was changed. */
export class PackagesError extends Error {
  override readonly name = 'PackagesError'
}

/**
 * Unpack Debian packages, and those they need which are not installed, into a directory of ours.
 *
 * Nothing is installed: no root, no daemon started, nothing to undo. The package lists are private too, because
 * a fresh machine has none and only root may fetch those of the system.
 *
 * @param names - Packages as apt knows them.
 * @param directory - Replaced. Its `root/` becomes the tree that the packages would have put under `/`.
 * @returns The absolute path of that tree.
 * @throws {@link PackagesError}
 */
export async function unpackPackages(names: readonly string[], directory: string): Promise<string> {
  const at = (...parts: string[]): string => path.resolve(directory, ...parts)
  await rm(directory, { recursive: true, force: true })
  for (const folder of ['lists/partial', 'cache/archives/partial', 'debs', 'root']) {
    await mkdir(at(folder), { recursive: true })
  }

  const privately = [
    ['Dir::State::lists', at('lists')],
    ['Dir::Cache', at('cache')],
    ['Dir::Log', at()],
    ['APT::Sandbox::User', ''],
    // The system's own hooks clean directories that only root may touch.
    ['APT::Update::Post-Invoke', ''],
    ['Acquire::Retries', '3'],
  ].flatMap(([key, value]) => ['-o', `${key}=${value}`])
  const apt = (args: readonly string[], options?: CommandOptions): Promise<CommandResult> =>
    runCommand('apt-get', ['-q', ...privately, ...args], options)

  const update = await apt(['update'])
  if (update.code === -1) throw new PackagesError('this system has no apt-get')

  const plan = await apt(['--simulate', '--no-install-recommends', 'install', ...names])
  if (plan.code !== 0) throw new PackagesError(`apt-get install ${names.join(' ')}: ${lastLine(plan.stderr)}`)
  const needed = [...plan.stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] as string)
  const wanted = [...new Set([...names, ...needed])]

  const download = await apt(['download', ...wanted], { cwd: at('debs') })
  if (download.code !== 0) throw new PackagesError(`apt-get download: ${lastLine(download.stderr)}`)
  for (const file of await readdir(at('debs'))) {
    const unpack = await runCommand('dpkg-deb', ['--extract', at('debs', file), at('root')])
    if (unpack.code !== 0) throw new PackagesError(`dpkg-deb ${file}: ${lastLine(unpack.stderr)}`)
  }
  for (const folder of ['lists', 'cache', 'debs']) await rm(at(folder), { recursive: true, force: true })
  return at('root')
}
