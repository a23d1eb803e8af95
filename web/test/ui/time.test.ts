import { describe, expect, it } from 'vitest'
import { periodOf, relativeTime } from '../../src/ui/time'

const NOW = new Date(2026, 4, 20, 14, 30)
const at = (...parts: [number, number, number, number?, number?]): Date => new Date(...(parts as [number, number, number]))

describe('relativeTime', () => {
  it.each([
    [new Date(NOW.getTime() - 10_000), 'just now'],
    [new Date(NOW.getTime() + 5_000), 'just now'],
    [new Date(NOW.getTime() - 60_000), '1 minute ago'],
    [new Date(NOW.getTime() - 50 * 60_000), '50 minutes ago'],
    [new Date(NOW.getTime() - 58 * 60_000), '1 hour ago'],
    [at(2026, 4, 20, 1, 0), '14 hours ago'],
    [at(2026, 4, 19, 23, 0), 'yesterday'],
    [at(2026, 4, 17, 9, 0), '3 days ago'],
    [at(2026, 2, 12, 9, 0), 'March 12'],
    [at(2024, 2, 12, 9, 0), 'March 12, 2024'],
  ])('says %s as %s', (then, words) => {
    expect(relativeTime(then, NOW, 'en')).toBe(words)
  })

  it('says hours, not "yesterday", shortly after midnight', () => {
    expect(relativeTime(at(2026, 4, 19, 23, 0), at(2026, 4, 20, 1, 0), 'en')).toBe('2 hours ago')
  })
})

describe('periodOf', () => {
  it('goes by the calendar', () => {
    expect(periodOf(at(2026, 4, 20, 0, 1), NOW)).toBe('Today')
    expect(periodOf(at(2026, 4, 19, 23, 59), NOW)).toBe('Yesterday')
    expect(periodOf(at(2026, 4, 15, 12, 0), NOW)).toBe('Earlier this week')
    expect(periodOf(at(2026, 3, 1, 12, 0), NOW)).toBe('Earlier')
    expect(periodOf(null, NOW)).toBe('Earlier')
  })
})
