/** `FAULTS_SCALE=full` (`npm run test:faults:full`): as large and as long as it is promised, which the gate cannot bear. */
export const isFullScale = process.env['FAULTS_SCALE'] === 'full'

/** How many, or how long, by where it runs. */
export function scaled(atGate: number, full: number): number {
  return isFullScale ? full : atGate
}
