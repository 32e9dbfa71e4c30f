/** Before the measured one: connections are opened, a worker started beside comes up, code gets warm. */
const WARM_UP = 100

/** Have so many numbers from 0 up summed, and print how many milliseconds it took. */
export async function measureCanvas(size: number, sum: (size: number) => Promise<number>): Promise<void> {
  await sum(WARM_UP)
  const start = performance.now()
  const answer = await sum(size)
  const canvasMs = performance.now() - start
  const expected = (size * (size - 1)) / 2
  if (answer !== expected) throw new Error(`expected ${expected}, got ${answer}`)
  console.log(JSON.stringify({ canvasMs }))
}
