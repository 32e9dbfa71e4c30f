import { LovageError } from '../../index.js'

/** The base of every fault of a report. */
export abstract class ReportError extends LovageError {}

/** Thrown when the request itself is wrong. Nothing was read; asking again gives the same. */
export class InvalidReportRequestError extends ReportError {
  readonly code = 'REPORT_INVALID_REQUEST'
}

/** Thrown when the source lies where reports may not read. Nothing was read; asking again gives the same. */
export class SourceNotAllowedError extends ReportError {
  readonly code = 'REPORT_SOURCE_NOT_ALLOWED'
}

/** Thrown when the source is not there, is not a file, or its server refuses it. */
export class SourceNotReadableError extends ReportError {
  readonly code = 'REPORT_SOURCE_NOT_READABLE'
}

/** Thrown when the network or the source's server failed. Asking again may help. */
export class SourceUnavailableError extends ReportError {
  readonly code = 'REPORT_SOURCE_UNAVAILABLE'
}

/** Thrown when the source has more bytes than allowed. */
export class SourceTooLargeError extends ReportError {
  readonly code = 'REPORT_SOURCE_TOO_LARGE'
}

/** Thrown when the source cannot be read as a table. */
export class MalformedCsvError extends ReportError {
  readonly code = 'REPORT_MALFORMED_CSV'
}

/** Thrown when the table has no such column. The message lists those it has. */
export class UnknownColumnError extends ReportError {
  readonly code = 'REPORT_UNKNOWN_COLUMN'
}
