import { LogCollapsingLowestDenseDDSketch } from '@datadog/sketches-js'

const PERCENTILE = 0.95
const SKETCH_ACCURACY = 0.01
/** Bins of a sketch: values down to about 10^-8 of the largest keep their accuracy. */
const SKETCH_BINS = 1024

/** Values of one group and metric that are kept; past it the percentile is estimated. */
const MOST_EXACT_VALUES = 100_000
const FIRST_CAPACITY = 16

/** What was found of one metric in one group of rows. Numbers are `null` where no value was there. */
export interface MetricResult {
  /** Cells with a number. */
  readonly count: number
  /** Cells without one: blank, absent or not numeric. */
  readonly missing: number
  readonly sum: number | null
  readonly mean: number | null
  readonly min: number | null
  readonly max: number | null
  readonly p95: number | null
  /** Whether `p95` is an estimate, within 1 % of the exact value. */
  readonly approximate: boolean
}

/** How many values all accumulators of a report may keep together, so that its memory has a bound. */
export class ExactValuesBudget {
  #left: number

  constructor(values = 4_000_000) {
    this.#left = values
  }

  take(values: number): boolean {
    if (values > this.#left) return false
    this.#left -= values
    return true
  }

  giveBack(values: number): void {
    this.#left += values
  }
}

/**
 * Aggregates the values of one metric in one group, in bounded memory.
 *
 * Sums are compensated (Neumaier), so adding millions of cents loses none. The 95th percentile is exact
 * while few enough values came, with linear interpolation between neighbours as Python's
 * `statistics.quantiles(method='inclusive')` and NumPy's default have it; then it comes from a DDSketch.
 */
export class MetricAccumulator {
  readonly #budget: ExactValuesBudget
  #count = 0
  #missing = 0
  #sum = 0
  #compensation = 0
  #min = Infinity
  #max = -Infinity
  #values: Float64Array | undefined = new Float64Array(0)
  #sketch: LogCollapsingLowestDenseDDSketch | undefined

  constructor(budget: ExactValuesBudget) {
    this.#budget = budget
  }

  add(value: number | undefined): void {
    if (value === undefined) {
      this.#missing++
      return
    }
    this.#addToSum(value)
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
    this.#keep(value)
    this.#count++
  }

  /** Add all that `other` has. It may not be used afterwards. */
  absorb(other: MetricAccumulator): void {
    this.#missing += other.#missing
    if (other.#count === 0) return
    this.#addToSum(other.#sum)
    this.#addToSum(other.#compensation)
    this.#min = Math.min(this.#min, other.#min)
    this.#max = Math.max(this.#max, other.#max)
    if (other.#values !== undefined) {
      for (let index = 0; index < other.#count; index++) {
        this.#keep(other.#values[index] ?? 0)
        this.#count++
      }
    } else if (other.#sketch !== undefined) {
      mergeSketch(this.#toSketch(), other.#sketch)
      this.#count += other.#count
    }
  }

  result(): MetricResult {
    const count = this.#count
    const missing = this.#missing
    if (count === 0) {
      return { count, missing, sum: null, mean: null, min: null, max: null, p95: null, approximate: false }
    }
    const compensated = this.#sum + this.#compensation
    // Past the largest double the compensation is not a number.
    const sum = Number.isNaN(compensated) ? this.#sum : compensated
    return {
      count,
      missing,
      sum: finiteOrNull(sum),
      mean: finiteOrNull(sum / count),
      min: this.#min,
      max: this.#max,
      p95: this.#percentile(),
      approximate: this.#sketch !== undefined,
    }
  }

  #addToSum(value: number): void {
    const sum = this.#sum + value
    this.#compensation +=
      Math.abs(this.#sum) >= Math.abs(value) ? this.#sum - sum + value : value - sum + this.#sum
    this.#sum = sum
  }

  #keep(value: number): void {
    if (this.#sketch !== undefined) {
      this.#sketch.accept(value)
      return
    }
    const values = this.#roomForOneMore()
    if (values === undefined) this.#toSketch().accept(value)
    else values[this.#count] = value
  }

  #roomForOneMore(): Float64Array | undefined {
    const values = this.#values
    if (values === undefined || this.#count < values.length) return values
    const capacity = Math.min(Math.max(values.length * 2, FIRST_CAPACITY), MOST_EXACT_VALUES)
    if (this.#count === capacity || !this.#budget.take(capacity - values.length)) return undefined
    this.#values = new Float64Array(capacity)
    this.#values.set(values)
    return this.#values
  }

  #toSketch(): LogCollapsingLowestDenseDDSketch {
    if (this.#sketch !== undefined) return this.#sketch
    const sketch = new LogCollapsingLowestDenseDDSketch({
      relativeAccuracy: SKETCH_ACCURACY,
      binLimit: SKETCH_BINS,
    })
    const values = this.#values ?? new Float64Array(0)
    for (const value of values.subarray(0, this.#count)) sketch.accept(value)
    this.#budget.giveBack(values.length)
    this.#values = undefined
    this.#sketch = sketch
    return sketch
  }

  #percentile(): number {
    if (this.#sketch !== undefined) {
      const estimate = this.#sketch.getValueAtQuantile(PERCENTILE)
      return Math.min(Math.max(estimate, this.#min), this.#max)
    }
    return interpolatedQuantile(
      (this.#values ?? new Float64Array(0)).slice(0, this.#count).sort(),
      PERCENTILE,
    )
  }
}

/** @param sorted - Ascending, at least one. */
function interpolatedQuantile(sorted: Float64Array, quantile: number): number {
  const rank = (sorted.length - 1) * quantile
  const below = sorted[Math.floor(rank)] ?? 0
  const above = sorted[Math.ceil(rank)] ?? 0
  return below + (above - below) * (rank - Math.floor(rank))
}

function mergeSketch(into: LogCollapsingLowestDenseDDSketch, from: LogCollapsingLowestDenseDDSketch): void {
  const intoWasEmpty = into.count === 0
  into.merge(from)
  // sketches-js 2.1.1 leaves the negative values out, except when it copies into an empty sketch.
  if (!intoWasEmpty) into.negativeStore.merge(from.negativeStore)
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
