import { taskFailure } from './task-state.js'
import { z } from 'zod'

/** Names the report and its task; the artifact's file is named after it. */
export const reportId = z
  .string()
  .regex(/^(?!\.)[A-Za-z0-9._-]{1,128}$/, 'expected 1 to 128 of A-Z a-z 0-9 . _ - without a dot in front')

const metrics = z.union([z.array(z.string()), z.record(z.string(), z.array(z.string()))])

const options = {
  report_id: reportId
    .optional()
    .describe('Chosen by the caller; else a new UUID. It is also the id of the task.'),
  format: z.enum(['html', 'csv', 'json']).optional().describe('Of the finished report; html if not given.'),
  group_by: z.string().min(1).optional().describe('The column whose values make the groups.'),
  notify: z
    .unknown()
    .optional()
    .describe('Whom to tell when it is finished, as the task reports.process takes it.'),
}

/** The JSON body of `POST /api/reports`. */
export const reportOfUrl = z
  .strictObject({
    csv_url: z
      .url({ protocol: /^https?$/ })
      .describe(
        'Where the worker reads the CSV; private addresses are refused unless the operator allows them.',
      ),
    ...options,
    metrics: metrics
      .optional()
      .describe('Columns to aggregate, or aggregates by column; every numeric column if not given.'),
  })
  .meta({ id: 'ReportOfUrl' })

/** The fields of an upload beside the file. */
export const reportOfUpload = z.strictObject({
  ...options,
  notify: jsonText(z.unknown()).optional().describe('As JSON.'),
  metrics: z
    .string()
    .transform((text) =>
      /^\s*[[{]/.test(text) ? text : JSON.stringify(text.split(',').map((name) => name.trim())),
    )
    .pipe(jsonText(metrics))
    .optional()
    .describe('Columns separated by commas, or JSON as in the other form.'),
})

/** The form as documented: the file is read as a stream and never gets to a schema. */
export const reportForm = reportOfUpload
  .extend({ file: z.string().meta({ format: 'binary', description: 'The CSV, at most 10 MiB.' }) })
  .meta({ id: 'ReportOfUpload' })

export type ReportOptions = Omit<z.output<typeof reportOfUrl>, 'csv_url'>

export const reportSent = z
  .object({
    report_id: z.string(),
    task_id: z.string(),
    state: z.literal('PENDING'),
    status_url: z.string(),
    download_url: z.string().describe('Where the finished report will be.'),
  })
  .meta({ id: 'ReportSent' })

/** What of the task's result is known here; the rest is passed on. */
export const reportSummary = z.looseObject({
  report_id: z.string(),
  format: z.enum(['html', 'csv', 'json']),
  file: z.string().describe('Name of the file among the artifacts.'),
})

export const reportState = z
  .object({
    report_id: z.string(),
    task_id: z.string(),
    state: z.string().describe('As for any task; PENDING may also mean that there is no such report.'),
    ready: z.boolean(),
    progress: z
      .unknown()
      .describe('{current, total, rows}: bytes of the source read, of how many, and rows.'),
    summary: z.unknown().describe("The task's result, once it has succeeded."),
    error: taskFailure.nullable(),
    date_done: z.date().nullable(),
    download_url: z.string().nullable().describe('Once it has succeeded.'),
  })
  .meta({ id: 'ReportState' })

/** A value that arrives as JSON in a text. */
function jsonText<Schema extends z.ZodType>(
  schema: Schema,
): z.ZodPipe<z.ZodString, z.ZodPipe<z.ZodTransform<unknown, string>, Schema>> {
  const parse = z.transform((text: string, context): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      context.addIssue('expected JSON')
      return z.NEVER
    }
  })
  return z.string().pipe(parse.pipe(schema))
}
