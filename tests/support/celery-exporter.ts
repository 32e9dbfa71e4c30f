import { freePort } from './free-port.js'
import { startProcess } from './start-process.js'

/** Start celery-exporter; it is killed when the test ends. @returns what it has for Prometheus. */
export async function startCeleryExporter(broker: string): Promise<() => Promise<string>> {
  const port = await freePort()
  const exporter = startProcess(
    process.env.MONITORS_PYTHON ?? 'python3',
    [
      ...['-c', 'from src.cli import cli; cli()', `--broker-url=${broker}`, '--host=127.0.0.1'],
      ...[`--port=${port}`, '--retry-interval=1'],
    ],
    { env: { PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' } },
  )
  return async () => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`).catch((cause: unknown) => {
      throw new Error(`celery-exporter does not answer; it printed:\n${exporter.output()}`, { cause })
    })
    return response.text()
  }
}
