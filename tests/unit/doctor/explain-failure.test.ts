import { describe, expect, it } from 'vitest'
import { explainFailure } from '../../../src/doctor/explain-failure.js'

describe('the doctor’s advice where there is no connection', () => {
  it.each([
    ['rediss://x was not ready within 3000 ms: no answer; does this port speak TLS?', /use redis:\/\//],
    [
      'rediss://x was not ready within 3000 ms: x:1 broke off (ECONNRESET); it may not speak TLS',
      /its TLS port/,
    ],
    ['redis://x was not ready within 3000 ms: x:1 broke off (ECONNRESET); it may expect TLS', /use rediss:/],
    ['redis://x was not ready within 3000 ms: read ECONNRESET', /wants TLS \(rediss:\/\/\)/],
    ['redis://x was not ready within 3000 ms: NOAUTH Authentication required.', /password/],
  ])('%s', (message, advice) => {
    expect(explainFailure(new Error(message))).toMatchObject({
      status: 'fault',
      found: message,
      advice: expect.stringMatching(advice) as string,
    })
  })
})
