import { obtainCelery } from './celery.js'
import type { Obtained } from './obtained.js'
import { obtainRedis } from './redis.js'

/**
 * Get what the tests of a project need, where the test command has not done so already: for `npm test -- FILE`
 * and for Vitest run by hand. Tests find it in the environment. Does not build: `npm test` does.
 */
export default async function setup({ name }: { readonly name: string }): Promise<() => Promise<void>> {
  const releases: (() => Promise<void>)[] = []
  const provide = async (
    what: string,
    obtain: () => Promise<Obtained>,
    ...variables: string[]
  ): Promise<void> => {
    if (variables.some((variable) => process.env[variable] !== undefined)) return
    const { line, env, release } = await obtain()
    console.log(`${what}: ${line}`)
    Object.assign(process.env, env)
    if (release !== undefined) releases.push(release)
  }

  await Promise.all([
    provide('redis', obtainRedis, 'REDIS_SERVER_BIN', 'TEST_WITHOUT_REDIS_SERVER'),
    name === 'interop' && provide('celery', obtainCelery, 'CELERY_PYTHON', 'TEST_WITHOUT_CELERY'),
  ])
  return async () => {
    for (const release of releases) await release()
  }
}
