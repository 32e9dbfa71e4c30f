import { fault, ok, unseen, warning } from '../finding.js'
import { observe } from '../observe.js'
import type { ServerCheck } from '../subject.js'

const NAME = 'clock-skew'
const SAMPLES = 3

export const clockSkew: ServerCheck = {
  name: NAME,
  async look({ client }, { clock }) {
    let best = { skewMs: 0, errorMs: Infinity }
    for (let i = 0; i < SAMPLES; i += 1) {
      const before = clock.now()
      const start = performance.now()
      const time = await observe('TIME', () => client.time())
      if (time.kind === 'unseen') return unseen(NAME, time.why)
      const errorMs = (performance.now() - start) / 2
      const [seconds, micros] = time.value.map(Number)
      const skewMs = (seconds ?? 0) * 1000 + (micros ?? 0) / 1000 - (before + errorMs)
      if (errorMs < best.errorMs) best = { skewMs, errorMs }
    }
    const { skewMs, errorMs } = best
    // What the way there and back may account for says nothing.
    const certainMs = Math.max(0, Math.abs(skewMs) - errorMs)
    if (certainMs < 1000) return ok(NAME, `less than ${certainMs < 100 ? '0.1' : '1'} s`)
    const found = `the server's clock is ${(Math.abs(skewMs) / 1000).toFixed(1)} s ${skewMs > 0 ? 'ahead' : 'behind'}`
    const advice = 'synchronize both clocks (NTP): ETAs and expiry are off by as much'
    return certainMs < 30_000 ? warning(NAME, found, advice) : fault(NAME, found, advice)
  },
}
