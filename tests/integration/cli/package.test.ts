import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, afterAll, describe, expect, it } from 'vitest'
import { redisForTests, type SharedRedis } from '../../support/redis.js'
import { startProcess } from '../../support/start-process.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const started = startProcess(command, args, { cwd })
  const { code } = await started.exit
  await started.drained
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${started.output()}`)
  return started.output()
}

interface Installed {
  /** What the archive holds, relative to the package. */
  readonly files: readonly string[]
}

/** Pack the package as it would be published, and put it into a project with the dependencies that it names. */
async function install(project: string): Promise<Installed> {
  // What is in dist/ was built before; building it here would pull it from under other tests.
  await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', project], ROOT)
  const modules = path.join(project, 'node_modules')
  await mkdir(path.join(modules, 'lovage'), { recursive: true })
  const manifest = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as {
    version: string
    dependencies: Record<string, string>
  }
  const archive = path.join(project, `lovage-${manifest.version}.tgz`)
  await run('tar', ['-xzf', archive, '--strip-components=1', '-C', path.join(modules, 'lovage')], project)
  const listed = await run('tar', ['-tzf', archive], project)
  for (const name of Object.keys(manifest.dependencies)) {
    await mkdir(path.dirname(path.join(modules, name)), { recursive: true })
    await symlink(path.join(ROOT, 'node_modules', name), path.join(modules, name))
  }
  await writeFile(path.join(project, 'package.json'), '{"type": "module"}')
  return { files: listed.split('\n').map((file) => file.replace(/^package\//, '')) }
}

let redis: SharedRedis
let project: string
let installed: Installed
beforeAll(async () => {
  redis = await redisForTests()
  project = await mkdtemp(path.join(tmpdir(), 'lovage-packed-'))
  installed = await install(project)
})
afterAll(async () => {
  await redis.stop()
  await rm(project, { recursive: true, force: true })
})

describe('the packed package', () => {
  it('holds what runs and what documents it, and no sources, tests or data', () => {
    const { files } = installed
    expect(files).toEqual(
      expect.arrayContaining([
        ...['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'dist/index.js', 'dist/index.d.ts'],
        ...['dist/cli/main.js', 'dist/server.js', 'dist/worker.js', 'dist/beat.js', 'dist/start.js'],
        ...['dist/broker/lua/claim.lua', 'dist/results/lua/store.lua', 'dist/beat/lua/renew-lease.lua'],
      ]),
    )
    const outside = files.filter((file) => !file.startsWith('dist/'))
    expect(outside.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
  })

  it.each([
    ['in memory', () => 'memory://'],
    ['on Redis', () => redis.url],
  ])('runs an app %s', async (_where, url) => {
    const program = `
      import { Celery } from 'lovage'
      import { recordSent } from 'lovage/testing'
      const app = new Celery('packed', {
        broker: '${url()}', backend: '${url()}',
        brokerTransportOptions: { globalKeyprefix: '${redis.prefix}' },
      })
      const add = app.task('packed.add', (x, y) => x + y)
      const sent = recordSent(app)
      const worker = await app.startWorker()
      console.log(await (await add.delay(40, 2)).get({ timeout: 10_000 }))
      sent.assertSent('packed.add', { args: [40, 2] })
      await worker.stop()
      await app.close()
    `
    await writeFile(path.join(project, 'program.js'), program)
    expect(await run(process.execPath, ['program.js'], project)).toBe('42')
  })

  it('loads what makes reports when the first is made', async () => {
    const program = `
      import { createRequire } from 'node:module'
      import { registerBundledTasks } from './node_modules/lovage/dist/tasks/index.js'
      const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((f) => f.includes('papaparse'))
      let report
      registerBundledTasks({ task: (name, options, run) => (report = run) }, { artifactDir: 'out', sourceDirs: ['.'] })
      console.log(loaded())
      await report(
        { report_id: 'r', source: 'sales.csv', format: 'json', group_by: null, metrics: null },
        { updateState: () => Promise.resolve(), signal: new AbortController().signal },
      )
      console.log(loaded())
    `
    await writeFile(path.join(project, 'sales.csv'), 'price\n3\n')
    await writeFile(path.join(project, 'report.js'), program)
    expect(await run(process.execPath, ['report.js'], project)).toBe('false\ntrue')
  })

  it('brings the command and the service', async () => {
    const program = (name: string): string => path.join('node_modules/lovage/dist', name)
    expect(await run(process.execPath, [program('cli/main.js'), '--version'], project)).toMatch(
      /^\d+\.\d+\.\d+$/,
    )

    const env = { PORT: '0', PATH: '' }
    const service = startProcess(process.execPath, [program('start.js')], { cwd: project, env })
    await service.waitForLine(/Ctrl-C stops everything/)
    expect(await service.stop()).toEqual({ code: 0, signal: null })
  })
})
