import { PYTHON_DIRECTORY, pytasksEnvironment, type PytasksSettings } from './python.js'
import { freePort } from './free-port.js'
import { startProcess, type RunningProcess } from './start-process.js'

export interface Flower {
  readonly process: RunningProcess
  /** The answer's JSON. @throws where its status is none of success. */
  get<T>(path: string): Promise<T>
  /** The status of the answer to a form, and what it says. */
  post(
    path: string,
    form?: Readonly<Record<string, string>>,
  ): Promise<{ readonly status: number; readonly message: string }>
  text(path: string): Promise<string>
}

/** Start Flower with the app of pytasks.py; it answers when this resolves, and is killed when the test ends. */
export async function startFlower(settings: PytasksSettings): Promise<Flower> {
  const port = await freePort()
  const process_ = startProcess(
    process.env.MONITORS_PYTHON ?? 'python3',
    [
      ...['-m', 'celery', '-A', 'pytasks', 'flower', '--address=127.0.0.1', `--port=${port}`],
      ...['--inspect_timeout=5000', '--logging=info'],
    ],
    {
      cwd: PYTHON_DIRECTORY,
      env: pytasksEnvironment({ extraEnv: { FLOWER_UNAUTHENTICATED_API: 'true' }, ...settings }),
    },
  )
  await process_.waitForLine(/Visit me at/, 60_000)
  const url = (path: string): string => `http://127.0.0.1:${port}${path}`
  const text = async (path: string): Promise<string> => {
    const response = await fetch(url(path))
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`)
    return response.text()
  }
  return {
    process: process_,
    text,
    get: async <T>(path: string) => JSON.parse(await text(path)) as T,
    async post(path, form = {}) {
      const response = await fetch(url(path), { method: 'POST', body: new URLSearchParams(form) })
      const answer = await response.text()
      const isJson = answer.startsWith('{')
      return {
        status: response.status,
        message: isJson ? (JSON.parse(answer) as { message: string }).message : answer,
      }
    },
  }
}
