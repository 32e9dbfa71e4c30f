// What the children of a worker's pool import: the app that the command opened, by what stands in the environment.
import { openApp } from './open-app.js'

export const { app } = await openApp({}, 'worker')
