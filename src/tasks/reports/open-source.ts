import { openFileSource } from './open-file-source.js'
import { openUrlSource } from './open-url-source.js'
import type { ReportRequest } from './report-request.js'

/** Bytes to read, once. */
export interface OpenSource {
  /** What to call it before people: without folders, credentials and query. */
  readonly label: string
  /** Number of bytes; `undefined` where the server does not say. */
  readonly size: number | undefined
  /** Ends by itself, with an error where the source breaks off or the signal aborts. */
  readonly chunks: AsyncIterable<Buffer>
  /** Lets go of file or connection. May be called again. */
  close(): Promise<void>
}

/**
 * Open the source of a report.
 *
 * @throws {@link SourceNotAllowedError} {@link SourceNotReadableError} {@link SourceUnavailableError}
 * {@link SourceTooLargeError}
 */
export async function openSource(
  request: Pick<ReportRequest, 'source' | 'allowedDirs' | 'allowPrivateSources' | 'maxSourceBytes'>,
  signal: AbortSignal,
): Promise<OpenSource> {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(request.source)
    ? openUrlSource(request.source, {
        allowPrivateSources: request.allowPrivateSources ?? false,
        maxSourceBytes: request.maxSourceBytes ?? 2 * 1024 ** 3,
        signal,
      })
    : openFileSource(request.source, request.allowedDirs)
}
