import { describe, expect, it } from 'vitest'
import { createLog, type Log } from '../../src/index.js'

function logInto(lines: Record<string, unknown>[]): Log {
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>)
  return createLog({ destination: { write } })
}

describe('row 43: the log redacts', () => {
  it.each(['password', 'token', 'authorization', 'apiKey', 'api_key', 'secret'])(
    'a field named %s, and one of an object',
    (name) => {
      const lines: Record<string, unknown>[] = []
      const log = logInto(lines)
      log.info({ [name]: 's3cret', shop: { [name]: 's3cret', id: 3 } }, 'said')
      log.child({ [name]: 's3cret' }).warn({}, 'said by a child')
      expect(lines).toMatchObject([
        { msg: 'said', [name]: '[redacted]', shop: { [name]: '[redacted]', id: 3 } },
        { msg: 'said by a child', [name]: '[redacted]' },
      ])
      expect(JSON.stringify(lines)).not.toContain('s3cret')
    },
  )

  it('credentials in the URLs of errors, and fields of theirs such as the command that failed', () => {
    const lines: Record<string, unknown>[] = []
    const cause = Object.assign(new Error('rediss://user:s3cret@cache:6379 refuses'), { args: ['s3cret'] })
    const error = Object.assign(new Error('no way to redis://:s3cret@cache/0', { cause }), { code: 'E_GONE' })
    logInto(lines).error({ err: error }, 'failed')
    expect(lines[0]?.['err']).toMatchObject({
      message: 'no way to redis://***@cache/0',
      code: 'E_GONE',
      cause: { message: 'rediss://***@cache:6379 refuses' },
    })
    expect(JSON.stringify(lines)).not.toContain('s3cret')
  })
})

it('a log that is silent starts no thread to be pretty', () => {
  const threads = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length
  const before = threads()
  createLog({ level: 'silent', format: 'pretty' }).error({}, 'unheard')
  expect(threads()).toBe(before)
})
