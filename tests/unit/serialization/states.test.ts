import { expect, it } from 'vitest'
import { EXCEPTION_STATES, isReady } from '../../../src/serialization/states.js'

const STATES = ['PENDING', 'RECEIVED', 'STARTED', 'RETRY', 'PROGRESS', 'SUCCESS', 'FAILURE', 'REVOKED']

it('Section 10.3: SUCCESS, FAILURE and REVOKED end a task, and nothing else does', () => {
  expect(STATES.filter(isReady)).toEqual(['SUCCESS', 'FAILURE', 'REVOKED'])
})

it('Section 10.3: FAILURE, RETRY and REVOKED hold an exception', () => {
  expect([...EXCEPTION_STATES].sort()).toEqual(['FAILURE', 'RETRY', 'REVOKED'])
})
