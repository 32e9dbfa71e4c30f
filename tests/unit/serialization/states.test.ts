import { expect, it } from 'vitest'
import {
  EXCEPTION_STATES,
  isReady,
  precedence,
  PROPAGATE_STATES,
  READY_STATES,
} from '../../../src/serialization/states.js'

it('Section 10.3: SUCCESS, FAILURE and REVOKED end a task, and nothing else does', () => {
  expect([...READY_STATES].sort()).toEqual(['FAILURE', 'REVOKED', 'SUCCESS'])
  expect(['PENDING', 'RECEIVED', 'STARTED', 'RETRY', 'PROGRESS'].filter(isReady)).toEqual([])
})

it('Section 10.3: FAILURE, RETRY and REVOKED hold an exception, of which RETRY reaches nobody', () => {
  expect([...EXCEPTION_STATES].sort()).toEqual(['FAILURE', 'RETRY', 'REVOKED'])
  expect([...PROPAGATE_STATES].sort()).toEqual(['FAILURE', 'REVOKED'])
})

it('ranks an end above an own state, and that above everything that comes before an end', () => {
  const late = ['PENDING', 'STARTED', 'PROGRESS', 'FAILURE', 'RECEIVED', 'SUCCESS']
  expect(late.sort((a, b) => precedence(a) - precedence(b))).toEqual([
    'SUCCESS',
    'FAILURE',
    'PROGRESS',
    'STARTED',
    'RECEIVED',
    'PENDING',
  ])
})
