import { readFile } from 'node:fs/promises'

/** The version that a package.json states. */
export async function installedVersion(packageJson: string): Promise<string> {
  const { version } = JSON.parse(await readFile(packageJson, 'utf8')) as { readonly version: string }
  return version
}
