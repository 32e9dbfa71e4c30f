import { Celery, type AppOptions } from '../../src/index.js'
import { atTestEnd } from './at-test-end.js'

/** An app with broker and results on one server, closed when the test ends. Whoever makes one in a hook closes it. */
export function testApp(url: string, settings: AppOptions = {}): Celery {
  const app = new Celery('test', { broker: url, backend: url, ...settings })
  atTestEnd(() => app.close())
  return app
}
