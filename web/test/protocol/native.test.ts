import { deflateSync } from 'node:zlib'

import { encode } from '@msgpack/msgpack'
import { describe, expect, it } from 'vitest'

import { ProtocolError } from '../../src/protocol/errors'
import type { ServerMessage } from '../../src/protocol/messages'
import { decodeServer, encodeClient } from '../../src/protocol/native'
import { bytes, hex } from './vectors'

const info = { epoch: 'e', mode: 'write', seq: 7, resumed: false, server: 's' }

function refusal(frame: Uint8Array): number | null {
  try {
    decodeServer(frame)
    return null
  } catch (error) {
    if (error instanceof ProtocolError) return error.code
    throw error
  }
}

describe('what a client writes', () => {
  it('is one msgpack array that begins with the type', () => {
    expect(hex(encodeClient({ type: 'ping', nonce: 300 }))).toBe('9206cd012c')
    expect(hex(encodeClient({ type: 'close', channel: 1 }))).toBe('920201')
    expect(hex(encodeClient({ type: 'auth', channel: 1, token: 't' }))).toBe('930501a174')
    expect(hex(encodeClient({ type: 'update', channel: 1, id: 2, update: bytes('0000') }))).toBe('94030102c4020000')
    expect(hex(encodeClient({ type: 'awareness', channel: 1, awareness: bytes('00') }))).toBe('930401c40100')
  })

  it('says nil for a token, an epoch and a watermark that it does not have', () => {
    const nothing = { token: null, epoch: null, seq: null }
    const frame = encodeClient({ type: 'open', channel: 1, document: 'd', stateVector: bytes('00'), ...nothing })
    expect(hex(frame)).toBe('970101a164c40100c0c0c0')
  })

  it('says last that it can inflate', () => {
    const some = { token: null, epoch: 'e', seq: 1, accepts: 'deflate' } as const
    const frame = encodeClient({ type: 'open', channel: 1, document: 'd', stateVector: bytes('00'), ...some })
    expect(hex(frame)).toBe('980101a164c40100c0a16501a76465666c617465')
  })
})

describe('what a client reads', () => {
  it('is every message of the server', () => {
    const messages: [unknown[], ServerMessage][] = [
      [
        [1, 5, info, bytes('00'), bytes('0000')],
        {
          type: 'opened',
          channel: 5,
          epoch: 'e',
          mode: 'write',
          seq: 7,
          resumed: false,
          server: 's',
          stateVector: bytes('00'),
          update: bytes('0000'),
        },
      ],
      [[2, 5, 4404, 'gone'], { type: 'closed', channel: 5, code: 4404, reason: 'gone' }],
      [[3, 5, 8, [bytes('0000')]], { type: 'updates', channel: 5, seq: 8, updates: [bytes('0000')] }],
      [[3, 5, 8, []], { type: 'updates', channel: 5, seq: 8, updates: [] }],
      [[4, 5, bytes('00')], { type: 'presence', channel: 5, awareness: bytes('00') }],
      [[6, 1], { type: 'pong', nonce: 1 }],
      [[7, 5, 3], { type: 'saved', channel: 5, id: 3 }],
      [[8, 5, 3, 4413, 'big'], { type: 'rejected', channel: 5, id: 3, code: 4413, reason: 'big' }],
      [[9, 500, 'bye'], { type: 'goaway', retryAfterMs: 500, reason: 'bye' }],
    ]
    for (const [fields, message] of messages) expect(decodeServer(encode(fields))).toEqual(message)
  })

  it('is an update that came deflated as it was before', () => {
    const update = new Uint8Array(20_000).fill(7)
    const fields = [1, 5, { ...info, encoding: 'deflate' }, bytes('00'), deflateSync(update)]
    expect(decodeServer(encode(fields))).toMatchObject({ update })
    expect(refusal(encode([1, 5, { ...info, encoding: 'deflate' }, bytes('00'), bytes('0000')]))).toBe(4400)
  })

  it('ignores elements and keys that a later version adds', () => {
    expect(decodeServer(encode([6, 1, 'more', [1, { a: 1 }]]))).toEqual({ type: 'pong', nonce: 1 })
    expect(decodeServer(encode([1, 5, { ...info, more: 1 }, bytes('00'), bytes('0000')]))).toMatchObject({ seq: 7 })
  })

  it('ignores message types of a later version', () => {
    expect(decodeServer(encode([10, 1, 2]))).toBeNull()
    expect(decodeServer(encode([5]))).toBeNull()
  })

  it.each([
    ['no array', encode({ a: 1 })],
    ['an empty array', encode([])],
    ['a type that is no number', encode(['6', 1])],
    ['a missing field', encode([7, 1])],
    ['a negative number', encode([6, -1])],
    ['a fraction', encode([6, 1.5])],
    ['an integer that JavaScript would round', bytes('9206cf0020000000000001')],
    ['channel 0', encode([7, 0, 1])],
    ['channel 2^31', encode([7, 2 ** 31, 1])],
    ['text for binary', encode([4, 1, 'text'])],
    ['text in a list of binaries', encode([3, 1, 0, ['text']])],
    ['an unknown mode', encode([1, 5, { ...info, mode: 'admin' }, bytes('00'), bytes('0000')])],
    ['an array for a map', encode([1, 5, [], bytes('00'), bytes('0000')])],
    ['nothing', new Uint8Array()],
  ])('refuses %s with 4400', (_, frame) => {
    expect(refusal(frame)).toBe(4400)
  })
})
