import { encode } from '@msgpack/msgpack'
import { describe, expect, it } from 'vitest'

import { type Bounds, checkBounds } from '../../src/protocol/bounds'
import { bytes } from './vectors'

const bounds: Bounds = { maxBytes: 1 << 20, maxValues: 1000, maxDepth: 3 }
const check = (frame: Uint8Array, narrower: Partial<Bounds> = {}) => checkBounds(frame, { ...bounds, ...narrower })

describe('a frame in bounds', () => {
  it.each([
    ['numbers of every width', [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 40, 1.5]],
    ['negative numbers of every width', [-1, -33, -200, -70_000, -(2 ** 40)]],
    ['text of every width', ['', 'a', 'b'.repeat(31), 'c'.repeat(32), 'd'.repeat(300), 'e'.repeat(70_000)]],
    ['binary of every width', [new Uint8Array(1), new Uint8Array(300), new Uint8Array(70_000)]],
    ['long arrays', [Array(20).fill(1), Array(400).fill(1)]],
    ['maps', [{ a: 1 }, Object.fromEntries(Array.from({ length: 40 }, (_, key) => [`k${key}`, key]))]],
    ['nil and booleans', [null, true, false]],
  ])('may hold %s', (_, value) => {
    expect(() => check(encode(value))).not.toThrow()
  })

  it('may hold the wide headers that an encoder need not use', () => {
    for (const wide of ['dd00000001c0', 'dc0001c0', 'df00000001a16101', 'de0001a16101']) {
      expect(() => check(bytes(wide))).not.toThrow()
    }
  })
})

describe('a frame out of bounds', () => {
  it('is refused with 1009 where it is too large', () => {
    expect(() => check(encode([1, 2]), { maxBytes: 2 })).toThrow(expect.objectContaining({ code: 1009 }))
  })

  it.each([
    ['it ends too early', encode([1, 2]).subarray(0, 2), {}],
    ['a text ends too early', bytes('a561'), {}],
    ['a header ends too early', bytes('c5'), {}],
    ['something follows', bytes('9000'), {}],
    ['it holds too many values', encode(Array(100).fill(0)), { maxValues: 50 }],
    ['an array claims what is not there', bytes('ddffffffff'), {}],
    ['a map claims what is not there', bytes('dfffffffff'), {}],
    ['it nests too deep', encode([[[[1]]]]), {}],
    ['it holds an extension type', bytes('d40100'), {}],
    ['it holds the byte that msgpack never uses', bytes('c1'), {}],
  ])('is refused with 4400 where %s', (_, frame, narrower) => {
    expect(() => check(frame, narrower)).toThrow(expect.objectContaining({ code: 4400 }))
  })

  it('is refused before it is walked to its end', () => {
    const hostile = new Uint8Array(1 << 20).fill(0x90)
    expect(() => check(hostile)).toThrow(/bytes follow/)
    hostile.set(bytes('dd000fffff'))
    expect(() => check(hostile)).toThrow(/more than 1000 values/)
  })
})
