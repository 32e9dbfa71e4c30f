import { describe } from 'vitest'
import { createMemoryBackend } from '../../../src/results/memory-backend.js'
import { describeGroupsAndChords } from './chord-conformance.js'
import { describeGroupResults } from './group-conformance.js'
import { describeResultBackend } from './conformance.js'

describe('memory result backend', () => {
  describeResultBackend(() => Promise.resolve(createMemoryBackend()))
  describeGroupsAndChords(() => Promise.resolve(createMemoryBackend()))
  describeGroupResults(() => Promise.resolve(createMemoryBackend()))
})
