import type { Log, LogLevel } from '../../src/log.js'

export interface LoggedLine {
  readonly level: LogLevel
  readonly fields: Record<string, unknown>
  readonly message: string
}

/** A logger that keeps what it was given. */
export interface RecordingLog extends Log {
  readonly lines: readonly LoggedLine[]
}

export function recordingLog(lines: LoggedLine[] = [], common: Record<string, unknown> = {}): RecordingLog {
  const at =
    (level: LogLevel) =>
    (fields: Record<string, unknown>, message: string): void => {
      lines.push({ level, fields: { ...common, ...fields }, message })
    }
  return {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    isLevelEnabled: () => true,
    child: (fields) => recordingLog(lines, { ...common, ...fields }),
  }
}
