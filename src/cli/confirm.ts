import { createInterface } from 'node:readline/promises'
import { CommandFailedError } from './errors.js'

/**
 * Ask before something that cannot be undone.
 *
 * @throws CommandFailedError unless the answer is yes.
 */
export async function confirm(texts: {
  readonly warning: string
  readonly question: string
  /** What is said of a no. */
  readonly refusal: string
}): Promise<void> {
  process.stdout.write(
    `WARNING: ${texts.warning}\n` +
      '         There is no undo for this operation!\n\n' +
      '(to skip this prompt use the -f option)\n',
  )
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
  const answer = await Promise.race([terminal.question(`${texts.question} [y/N]: `), closed])
  terminal.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailedError(texts.refusal)
}
