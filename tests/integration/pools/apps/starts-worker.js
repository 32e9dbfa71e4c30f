import { app } from './work.js'

await app.startWorker()

export { app }
