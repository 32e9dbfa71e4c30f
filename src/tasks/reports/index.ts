import { z } from 'zod'
import { SourceUnavailableError } from './errors.js'
import { defaultSourceDirs } from './open-file-source.js'
import { AGGREGATES, FORMATS, type ReportRequest } from './report-request.js'
import type { Celery } from '../../index.js'

export interface ReportTaskOptions {
  /** Where finished reports are written. */
  readonly artifactDir: string
  /**
   * Folders whose CSV files may be read.
   *
   * @default `data` in the working directory, and `uploads` in `artifactDir`
   */
  readonly sourceDirs?: readonly string[]
}

const params = z.object({
  report_id: z.string().describe('names the finished report'),
  source: z.string().describe('path of a CSV file in an allowed folder, or its URL'),
  format: z.enum(FORMATS).default('html'),
  group_by: z.string().nullable().default(null).describe('column that makes the groups'),
  metrics: z
    .union([z.array(z.string()), z.record(z.string(), z.array(z.enum(AGGREGATES)))])
    .nullable()
    .default(null)
    .describe('columns to aggregate; all numeric ones where left out'),
  notify: z.null().default(null).describe('notifications are not there yet'),
})

/** `reports.process`: a CSV, aggregated by group, as a page, CSV or JSON. */
export function registerReportTasks(app: Celery, options: ReportTaskOptions): void {
  app.task(
    'reports.process',
    {
      params,
      queue: 'reports',
      autoretryFor: [SourceUnavailableError],
      retryBackoff: true,
      description: 'Aggregate a CSV by group into an HTML page, CSV or JSON',
    },
    async (asked, task) => {
      const request: ReportRequest = {
        reportId: asked.report_id,
        source: asked.source,
        format: asked.format,
        artifactDir: options.artifactDir,
        allowedDirs: options.sourceDirs ?? defaultSourceDirs(options.artifactDir),
        ...(asked.group_by === null ? {} : { groupBy: asked.group_by }),
        ...(asked.metrics === null ? {} : { metrics: asked.metrics }),
      }
      // With what it needs it is a fifth of all that a process of the service loads, and most make no report.
      const { processReport } = await import('./process-report.js')
      return processReport(request, {
        onProgress: (progress) => task.updateState('PROGRESS', progress),
        signal: task.signal,
      })
    },
  )
}
