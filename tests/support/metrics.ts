import type { RunningWorker } from '../../src/index.js'

/** Values of the series of one name that a worker shows Prometheus, by their labels. */
export async function series(
  { httpPort }: Pick<RunningWorker, 'httpPort'>,
  name: string,
): Promise<Record<string, number>> {
  const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`)
  const lines = (await response.text())
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(name.length, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' '))),
    ]),
  )
}
