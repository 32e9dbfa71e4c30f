import { describe, expect, it } from 'vitest'
import { InvalidInstantError } from '../../../src/serialization/errors.js'
import { formatInstant, parseInstant } from '../../../src/serialization/time.js'

describe('formatInstant', () => {
  it('writes six fraction digits and an offset with a colon, which every release reads', () => {
    expect(formatInstant(new Date('2026-11-20T20:48:30.868Z'))).toBe('2026-11-20T20:48:30.868000+00:00')
    expect(formatInstant(new Date('2026-11-20T20:48:30Z'))).toBe('2026-11-20T20:48:30.000000+00:00')
  })

  it('refuses what Python has no date for', () => {
    for (const date of [
      new Date(NaN),
      new Date('+010000-01-01T00:00:00Z'),
      new Date('0000-12-31T00:00:00Z'),
    ]) {
      expect(() => formatInstant(date)).toThrow(InvalidInstantError)
    }
  })
})

describe('parseInstant', () => {
  it.each([
    ['2026-11-20T20:48:30.868429+00:00', '2026-11-20T20:48:30.868Z'],
    ['2026-11-20T20:48:30.868429', '2026-11-20T20:48:30.868Z'],
    ['2026-11-20T20:48:30Z', '2026-11-20T20:48:30.000Z'],
    ['2026-11-20T20:48:30z', '2026-11-20T20:48:30.000Z'],
    ['2026-11-20 20:48:30+01:00', '2026-11-20T19:48:30.000Z'],
    ['2026-11-20T20:48:30+0530', '2026-11-20T15:18:30.000Z'],
    ['2026-11-20T20:48:30-05', '2026-11-21T01:48:30.000Z'],
    ['2026-11-20T20:48', '2026-11-20T20:48:00.000Z'],
    ['2026-11-20T20:48+02:00', '2026-11-20T18:48:00.000Z'],
    ['2026-11-20T20:48:30.5Z', '2026-11-20T20:48:30.500Z'],
    ['2026-11-20T20:48:30.123456789Z', '2026-11-20T20:48:30.123Z'],
    ['2026-11-20T20:48:30,25', '2026-11-20T20:48:30.250Z'],
    ['2026-11-20', '2026-11-20T00:00:00.000Z'],
    ['2024-02-29T23:59:59.999999-00:30', '2024-03-01T00:29:59.999Z'],
    ['0050-01-01T00:00:00', '0050-01-01T00:00:00.000Z'],
  ])('reads %s', (text, expected) => {
    expect(parseInstant(text).toISOString()).toBe(expected)
  })

  it.each([
    '',
    'soon',
    '1577836800',
    '2026-13-01T00:00:00',
    '2026-02-30T00:00:00',
    '2026-11-20T24:30:00',
    '2026-11-20T',
  ])('refuses %j', (text) => {
    expect(() => parseInstant(text)).toThrow(InvalidInstantError)
  })

  it('names the text it refuses', () => {
    expect(() => parseInstant('soon')).toThrow('"soon"')
  })
})
