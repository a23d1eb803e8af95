import { describe, expect, it } from 'vitest'

import { Liveness } from '../../src/sync/liveness'

const visible = { hidden: false }
const hidden = { hidden: true }

describe('a line that fell silent', () => {
  it('is asked after 5 s and given up within 10 s', () => {
    const liveness = new Liveness(0)
    expect(liveness.wakeAt(visible)).toBe(5_000)
    expect(liveness.check(4_999, visible)).toBe('fine')
    expect(liveness.check(5_000, visible)).toBe('ping')
    expect(liveness.wakeAt(visible)).toBe(9_500)
    expect(liveness.check(9_499, visible)).toBe('fine')
    expect(liveness.check(9_500, visible)).toBe('dead')
  })

  it('is asked only after 30 s in a hidden tab', () => {
    const liveness = new Liveness(0)
    expect(liveness.wakeAt(hidden)).toBe(30_000)
    expect(liveness.check(29_999, hidden)).toBe('fine')
    expect(liveness.check(30_000, hidden)).toBe('ping')
    expect(liveness.check(34_500, hidden)).toBe('dead')
  })

  it('is fine once anything is heard', () => {
    const liveness = new Liveness(0)
    liveness.check(5_000, visible)
    liveness.heard(6_000)
    expect(liveness.check(10_500, visible)).toBe('fine')
    expect(liveness.wakeAt(visible)).toBe(11_000)
  })
})

describe('a line that is asked because somebody came back', () => {
  it('is given up after 2.5 s', () => {
    const liveness = new Liveness(0)
    liveness.probe(1_000)
    expect(liveness.wakeAt(visible)).toBe(3_500)
    expect(liveness.check(3_499, visible)).toBe('fine')
    expect(liveness.check(3_500, visible)).toBe('dead')
  })
})

describe('a timer that fires late', () => {
  it('asks once more, since the answer may lie in the queue behind it', () => {
    const liveness = new Liveness(0)
    liveness.check(5_000, visible)
    expect(liveness.check(3_600_000, visible)).toBe('ping')
    expect(liveness.wakeAt(visible)).toBe(3_602_500)
    expect(liveness.check(3_602_500, visible)).toBe('dead')
  })

  it('asks no third time', () => {
    const liveness = new Liveness(0)
    liveness.check(5_000, visible)
    liveness.check(100_000, visible)
    expect(liveness.check(200_000, visible)).toBe('dead')
  })
})
