/**
 * Whether colours are written to a stream: on a terminal, unless `NO_COLOR` or `FORCE_COLOR` say otherwise.
 *
 * @see https://no-color.org
 */
export function hasColours(
  stream: { readonly isTTY?: boolean },
  { NO_COLOR, FORCE_COLOR, TERM }: NodeJS.ProcessEnv = process.env,
): boolean {
  if (NO_COLOR) return false
  if (FORCE_COLOR) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  return stream.isTTY === true && TERM !== 'dumb'
}
