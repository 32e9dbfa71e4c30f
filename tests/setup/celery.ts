import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { unpackPackages } from './debian-packages.js'
import type { Obtained } from './obtained.js'
import { lastLine, runCommand } from './run-command.js'

/** Where Pythons with a Celery are kept between runs. */
const CACHE = path.resolve('.cache/python')
const CURRENT = 'tests/interop/python/requirements.txt'
const CELERY_52 = 'tests/interop/python/requirements-5.2.txt'
const MONITORS = 'tests/interop/python/requirements-monitors.txt'
/** Everything that the programs in tests/interop/python import. */
const PROBE = 'import celery, cryptography, kombu, redis, msgpack, yaml; print(celery.__version__)'

/** The same for the monitors, of which each test starts the one that it is about. */
const MONITORS_PROBE =
  'import celery, flower, kombu.transport.redis, msgpack, src.cli, yaml; print(celery.__version__)'

/** A Python interpreter that can import Celery, and which Celery that is. */
interface CeleryPython {
  readonly python: string
  readonly version: string
  readonly place: string
}

/**
 * Find the Pythons for the interop tests: the current Celery (`CELERY_PYTHON`), 5.2 (`CELERY52_PYTHON`), and one that has
 * Flower (`MONITORS_PYTHON`).
 *
 * Each comes from a virtual environment made here with pip; where that cannot be made, both are Debian's 5.2, from
 * the system's packages. Interpreters that the environment names already are taken as they are. Where no Celery
 * can be had, `TEST_WITHOUT_CELERY` says why, and the interop tests are skipped; so does `TEST_WITHOUT_MONITORS` for
 * theirs.
 */
export async function obtainCelery(): Promise<Obtained> {
  const [current, older, monitors] = await Promise.all([
    given('CELERY_PYTHON') ?? virtualEnvironment(CURRENT),
    given('CELERY52_PYTHON') ?? virtualEnvironment(CELERY_52),
    given('MONITORS_PYTHON', MONITORS_PROBE) ?? virtualEnvironment(MONITORS, MONITORS_PROBE),
  ])
  const found = await describeCeleries(current, older)
  const more =
    typeof monitors === 'string' ? { TEST_WITHOUT_MONITORS: monitors } : { MONITORS_PYTHON: monitors.python }
  return { ...found, env: { ...found.env, ...more } }
}

async function describeCeleries(
  current: CeleryPython | string,
  older: CeleryPython | string,
): Promise<Obtained> {
  if (typeof current !== 'string') {
    const env = { CELERY_PYTHON: current.python }
    if (typeof older === 'string') return { line: `${shown(current)}; no 5.2: ${older}`, env }
    return { line: `${shown(current)}; ${shown(older)}`, env: { ...env, CELERY52_PYTHON: older.python } }
  }

  const debian = typeof older === 'string' ? await debianCelery() : older
  if (typeof debian !== 'string') {
    const env = { CELERY_PYTHON: debian.python, CELERY52_PYTHON: debian.python }
    return { line: `${shown(debian)}; no current one: ${current}`, env }
  }
  const reason = `no Python Celery: ${current}; ${debian}`
  return { line: `NOT AVAILABLE: ${reason}`, env: { TEST_WITHOUT_CELERY: reason } }
}

const shown = ({ version, place }: CeleryPython): string => `${version} in ${place}`

function given(variable: string, program = PROBE): Promise<CeleryPython | string> | undefined {
  const python = process.env[variable]
  if (python === undefined || python === '') return undefined
  return probe(python, `${python} (${variable})`, program)
}

/** The environment for these requirements, made when it is not there yet; a text is the reason why it cannot be. */
async function virtualEnvironment(requirements: string, program = PROBE): Promise<CeleryPython | string> {
  const base = await runCommand('python3', ['-c', 'import sys; print(sys.executable, sys.version)'])
  if (base.code !== 0) return 'no python3 on the PATH'

  const key = createHash('sha256')
    .update(base.stdout)
    .update(await readFile(requirements))
  const directory = path.join(CACHE, key.digest('hex').slice(0, 12))
  const place = path.relative('', directory)
  const python = path.join(directory, 'bin/python')
  const ready = await probe(python, place, program)
  if (typeof ready !== 'string') return ready

  // Made under another name and moved: an interrupted or concurrent run never leaves half of one behind.
  const draft = `${directory}.${process.pid}`
  try {
    const fault = await install(draft, requirements)
    if (fault !== undefined) return fault
    await rm(directory, { recursive: true, force: true })
    await rename(draft, directory)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return probe(python, place, program)
}

/** Make a virtual environment with these requirements in it. Returns what went wrong, if something did. */
async function install(directory: string, requirements: string): Promise<string | undefined> {
  await mkdir(CACHE, { recursive: true })
  let pip = ['-m', 'pip']
  const made = await runCommand('python3', ['-m', 'venv', directory])
  if (made.code !== 0) {
    // Debian leaves pip out of its Python; the package with its wheel is enough to run it.
    const bare = await runCommand('python3', ['-m', 'venv', '--clear', '--without-pip', directory])
    if (bare.code !== 0) return `python3 -m venv: ${lastLine(bare.stderr)}`
    try {
      const root = await unpackPackages(['python3-pip-whl'], `${directory}.pip`)
      const wheels = path.join(root, 'usr/share/python-wheels')
      const wheel = (await readdir(wheels)).find((name) => name.startsWith('pip-'))
      if (wheel === undefined) return 'the package python3-pip-whl holds no pip'
      await rename(path.join(wheels, wheel), path.join(directory, wheel))
      pip = [path.join(directory, wheel, 'pip')]
    } catch (error) {
      return `python3 -m venv has no pip, and ${(error as Error).message}`
    } finally {
      await rm(`${directory}.pip`, { recursive: true, force: true })
    }
  }
  const quietly = ['install', '--quiet', '--disable-pip-version-check', '--no-input']
  const installed = await runCommand(path.join(directory, 'bin/python'), [
    ...[...pip, ...quietly, '--requirement', requirements],
  ])
  return installed.code === 0 ? undefined : `pip install: ${lastLine(installed.stderr)}`
}

/** Debian's Celery from the system's packages, with as much of Python as the system lacks. */
async function debianCelery(): Promise<CeleryPython | string> {
  const directory = path.join(CACHE, 'debian')
  const python = path.join(directory, 'python')
  const place = `${path.relative('', directory)} (the system's packages)`
  const ready = await probe(python, place)
  if (typeof ready !== 'string') return ready
  try {
    const root = await unpackPackages(
      ['python3-celery', 'python3-redis', 'python3-msgpack', 'python3-yaml', 'python3-cryptography'],
      directory,
    )
    const unpacked = path.join(root, 'usr/bin/python3')
    const library = path.join(root, 'usr/lib')
    const folders = await readdir(library)
    const modules = folders
      .filter((name) => name.startsWith('python3'))
      .map((name) => path.join(library, name))
      .flatMap((name) => [path.join(name, 'dist-packages'), name, path.join(name, 'lib-dynload')])
    const libraries = folders
      .filter((name) => name.includes('-linux-'))
      .map((name) => path.join(library, name))
    const script = [
      '#!/bin/sh',
      `export PYTHONPATH='${modules.filter((name) => existsSync(name)).join(':')}'"\${PYTHONPATH:+:$PYTHONPATH}"`,
      `export LD_LIBRARY_PATH='${libraries.join(':')}'`,
      // Debian's modules belong to Debian's Python, whatever else the PATH may offer.
      `exec '${existsSync(unpacked) ? unpacked : '/usr/bin/python3'}' "$@"`,
      '',
    ]
    await writeFile(python, script.join('\n'))
    await chmod(python, 0o755)
  } catch (error) {
    return (error as Error).message
  }
  return probe(python, place)
}

async function probe(python: string, place: string, program = PROBE): Promise<CeleryPython | string> {
  const { code, stdout, stderr } = await runCommand(python, ['-c', program], { timeoutMs: 60_000 })
  return code === 0 ? { python, version: stdout.trim(), place } : `${place}: ${lastLine(stderr)}`
}
