import { describe } from 'vitest'
import { createMemoryBackend } from '../../../src/results/memory-backend.js'
import { describeGroupsAndChords } from './chord-conformance.js'
import { describeResultBackend } from './conformance.js'

describe('memory result backend', () => {
  describeResultBackend(() => Promise.resolve(createMemoryBackend()))
  describeGroupsAndChords(() => Promise.resolve(createMemoryBackend()))
})
