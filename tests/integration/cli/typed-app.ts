import { mkdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { tempDir } from '../../support/temp-dir.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** A project of TypeScript: `shop.ts`, whose task `shop.price` answers with what `price.ts` exports. */
export interface TypedApp {
  readonly directory: string
  write(this: void, file: string, text: string): Promise<void>
  writePrice(this: void, price: number): Promise<void>
}

export async function typedApp(packages: readonly string[] = ['tsx']): Promise<TypedApp> {
  const directory = await tempDir()
  const modules = path.join(directory, 'node_modules')
  await mkdir(modules)
  await symlink(ROOT, path.join(modules, 'lovage'))
  for (const name of packages) await symlink(path.join(ROOT, 'node_modules', name), path.join(modules, name))
  const write = (file: string, text: string): Promise<void> => writeFile(path.join(directory, file), text)
  const writePrice = (price: number): Promise<void> =>
    write('price.ts', `export const price: number = ${price}\n`)
  await write('package.json', '{"type": "module"}')
  // The enum is what Node.js does not strip, price.js what only TypeScript finds.
  await write(
    'shop.ts',
    `import { setTimeout as sleep } from 'node:timers/promises'
import { Celery } from 'lovage'
import { price } from './price.js'

enum Currency { Euro = 'EUR' }
export const app: Celery = new Celery('shop')
app.task('shop.price', (): string => \`\${price} \${Currency.Euro}\`)
app.task('shop.slow', async (seconds: number): Promise<string> => {
  await sleep(seconds * 1000)
  return \`sold at \${price}\`
})
`,
  )
  await writePrice(1)
  return { directory, write, writePrice }
}
