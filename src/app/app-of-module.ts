import { Celery } from './celery.js'
import { InvalidArgumentError } from '../errors.js'

/**
 * The app that a module exports, as `app` or as its default.
 *
 * @param module - where it is, for the error.
 * @throws InvalidArgumentError saying what it exports instead.
 */
export function appOf(module: string, { app, default: main }: Readonly<Record<string, unknown>>): Celery {
  const found = app ?? main
  if (found instanceof Celery) return found
  if (found === undefined) throw new InvalidArgumentError(`${module} exports neither app nor a default`)
  throw new InvalidArgumentError(
    `what ${module} exports is no Celery of this installation of lovage; is there another one beside it?`,
  )
}
