import { describe } from 'vitest'
import { createMemoryBroker } from '../../../src/broker/memory-broker.js'
import { describeBroker } from './conformance.js'
import { describeFanout } from './fanout-conformance.js'

describe('memory broker', () => {
  describeBroker((limits) => Promise.resolve(createMemoryBroker(limits)))
  describeFanout(() => Promise.resolve(createMemoryBroker()))
})
