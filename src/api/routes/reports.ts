import { ApiError, invalidRequest } from '../api-error.js'
import { bindParams } from '../../app/bind-arguments.js'
import { constants, createReadStream } from 'node:fs'
import { describeTask } from '../schemas/task-state.js'
import { errorAnswers } from '../schemas/error-answer.js'
import { faultsOf } from '../validation.js'
import { open } from 'node:fs/promises'
import path from 'node:path'
import { randomUUID } from 'node:crypto'
import {
  reportForm,
  reportId,
  reportOfUpload,
  reportOfUrl,
  reportSent,
  reportState,
  reportSummary,
  type ReportOptions,
} from '../schemas/report.js'
import { saveUpload } from '../save-upload.js'
import { z } from 'zod'
import type { ApiServer } from '../api-server.js'
import type { Celery } from '../../index.js'
import type { CheckTaskAllowed } from '../allowed-tasks.js'

const TASK = 'reports.process'

export interface ReportRouteParts {
  readonly app: Celery
  readonly checkAllowed: CheckTaskAllowed
  /** Where the workers write finished reports, and read uploads from its folder `uploads`. */
  readonly artifactDir: string
}

const MEDIA_TYPES = {
  html: 'text/html; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  json: 'application/json; charset=utf-8',
} as const

export function addReportRoutes(
  server: ApiServer,
  { app, checkAllowed, artifactDir }: ReportRouteParts,
): void {
  const send = async (source: string, { report_id: id = randomUUID(), ...options }: ReportOptions) => {
    const kwargs = { report_id: id, source, ...options }
    const params = app.tasks.get(TASK)?.options.params
    if (params !== undefined) bindParams(TASK, params, [], kwargs)
    await app.sendTask(TASK, [], kwargs, { taskId: id })
    const url = `/api/reports/${id}`
    return {
      report_id: id,
      task_id: id,
      state: 'PENDING',
      status_url: url,
      download_url: `${url}/download`,
    } as const
  }

  server.route({
    method: 'POST',
    url: '/api/reports',
    schema: {
      summary: 'Make a report of a CSV',
      description: 'Upload the CSV as a form, or say where it is. The report is made by a worker.',
      tags: ['reports'],
      body: {
        content: {
          'application/json': { schema: reportOfUrl },
          'multipart/form-data': { schema: reportForm },
        },
      },
      response: { 202: reportSent, ...errorAnswers(400, 404, 413, 415, 503) },
    },
    async handler(request, reply) {
      checkAllowed(TASK)
      if (!request.isMultipart()) {
        const { csv_url: url, ...options } = request.body as z.output<typeof reportOfUrl>
        return reply.code(202).send(await send(url, options))
      }
      const upload = await saveUpload(request, path.resolve(artifactDir, 'uploads'))
      try {
        const parsed = reportOfUpload.safeParse(upload.fields)
        if (!parsed.success) throw invalidRequest(faultsOf(parsed.error, reportOfUpload, 'body'))
        return await reply.code(202).send(await send(upload.file, parsed.data))
      } catch (error) {
        await upload.discard()
        throw error
      }
    },
  })

  server.route({
    method: 'GET',
    url: '/api/reports/:id',
    schema: {
      summary: 'How far a report is',
      tags: ['reports'],
      params: z.object({ id: reportId }),
      response: { 200: reportState, ...errorAnswers(400, 501, 503) },
    },
    async handler(request) {
      const { id } = request.params
      const { state, ready, progress, result, error, date_done } = describeTask(
        id,
        await app.backend.fetch(id),
      )
      return {
        ...{ report_id: id, task_id: id, state, ready, progress, summary: result, error, date_done },
        download_url: state === 'SUCCESS' ? `/api/reports/${id}/download` : null,
      }
    },
  })

  server.route({
    method: 'GET',
    url: '/api/reports/:id/download',
    schema: {
      summary: 'The finished report',
      tags: ['reports'],
      params: z.object({ id: reportId }),
      response: {
        200: {
          description: 'The file, in the format that was asked for.',
          content: Object.fromEntries(
            Object.values(MEDIA_TYPES).map((type) => [type.split(';')[0] ?? type, { schema: z.unknown() }]),
          ),
        },
        ...errorAnswers(400, 404, 409, 410, 501, 503),
      },
    },
    async handler(request, reply) {
      const { id } = request.params
      const { format, file } = await finishedReport(app, id)
      const { stream, bytes } = await openArtifact(artifactDir, file)
      const disposition = format === 'html' ? 'inline' : 'attachment'
      return reply
        .type(MEDIA_TYPES[format])
        .header('content-length', bytes)
        .header('content-disposition', `${disposition}; filename="${file}"`)
        .header(
          'content-security-policy',
          "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        )
        .send(stream)
    },
  })
}

/** @throws ApiError 404 where nothing is known of it, 409 where it is not finished or failed. */
async function finishedReport(app: Celery, id: string): Promise<z.output<typeof reportSummary>> {
  const task = describeTask(id, await app.backend.fetch(id))
  if (task.state === 'PENDING') {
    throw new ApiError(404, 'REPORT_NOT_FOUND', `report ${id} has not begun, or there is none`)
  }
  if (!task.ready) throw new ApiError(409, 'REPORT_NOT_READY', `report ${id} is not finished: ${task.state}`)
  if (!task.successful) {
    const why = task.error === null ? '' : `: ${task.error.message}`
    throw new ApiError(409, 'REPORT_FAILED', `report ${id} has failed${why}`, { details: task.error })
  }
  const summary = reportSummary.safeParse(task.result)
  if (!summary.success) throw new ApiError(404, 'REPORT_NOT_FOUND', `task ${id} is no report`)
  return summary.data
}

/**
 * A file of the artifact folder itself. Its name comes out of a result, which whoever can write to the result
 * backend may have written, so it may name nothing but that.
 *
 * @throws ApiError 410 where it is not there any more, or is no plain file of that folder.
 */
async function openArtifact(
  artifactDir: string,
  name: string,
): Promise<{ readonly stream: NodeJS.ReadableStream; readonly bytes: number }> {
  const gone = new ApiError(410, 'REPORT_GONE', 'the file of this report is not there any more')
  if (!reportId.safeParse(name.replace(/\.[a-z]+$/, '')).success) throw gone
  const file = path.resolve(artifactDir, name)
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stats = await handle.stat()
    if (stats.isFile()) return { stream: createReadStream(file, { fd: handle }), bytes: stats.size }
    await handle.close()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && ['ENOENT', 'ELOOP'].includes(String(error.code))))
      throw error
  }
  throw gone
}
