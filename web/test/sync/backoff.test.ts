import { describe, expect, it } from 'vitest'

import { Backoff } from '../../src/sync/backoff'

const delays = (backoff: Backoff, count: number): number[] => Array.from({ length: count }, () => backoff.takeDelayMs())

describe('a backoff', () => {
  it('doubles its ceiling from 500 ms to 30 s', () => {
    const ceilings = delays(new Backoff(() => 1), 9)
    expect(ceilings).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  })

  it('takes any delay below the ceiling: full jitter', () => {
    expect(delays(new Backoff(() => 0), 3)).toEqual([0, 0, 0])
    expect(delays(new Backoff(() => 0.25), 3)).toEqual([125, 250, 500])
  })

  it('stays at its cap for ever', () => {
    expect(delays(new Backoff(() => 1), 2000).at(-1)).toBe(30_000)
  })

  it('begins anew after a reset', () => {
    const backoff = new Backoff(() => 1)
    delays(backoff, 5)
    backoff.reset()
    expect(backoff.takeDelayMs()).toBe(500)
  })

  it('takes the server’s word for one delay, unspread', () => {
    const backoff = new Backoff(() => 0.5)
    backoff.ask(12_345)
    expect(delays(backoff, 2)).toEqual([12_345, 500])
  })
})
