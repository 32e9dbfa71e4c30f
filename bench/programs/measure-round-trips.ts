/** Calls before the measured ones: connections are opened, a worker started beside comes up, code gets warm. */
const WARM_UP = 50

/** Call one after another, and print how many milliseconds each took. */
export async function measureRoundTrips(
  count: number,
  call: (number: number) => Promise<unknown>,
): Promise<void> {
  const roundTripsMs: number[] = []
  for (let number = 0; number < WARM_UP + count; number += 1) {
    const start = performance.now()
    const answer = await call(number)
    if (answer !== number) throw new Error(`expected ${number} back, got ${String(answer)}`)
    if (number >= WARM_UP) roundTripsMs.push(performance.now() - start)
  }
  console.log(JSON.stringify({ roundTripsMs }))
}
