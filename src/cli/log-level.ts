import { InvalidArgumentError as UsageError, type Command } from 'commander'

const LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL', 'FATAL']

/** Celery's `-l`, on the commands that keep running. */
export function addLogLevelFlag(command: Command): Command {
  return command.option('-l, --loglevel <level>', LEVELS.join(', '), readLevel)
}

function readLevel(text: string): string {
  const level = text.toUpperCase()
  if (!LEVELS.includes(level)) throw new UsageError(`Expected one of ${LEVELS.join(', ')}.`)
  return level
}
