import { describe, expect, it } from 'vitest'

import type { ClientMessage } from '../../src/protocol/messages'
import { decodeServer, encodeClient } from '../../src/protocol/native'
import { bytes, hex, type Malformed, type Vector, vectors } from './vectors'

describe('the golden vectors, which the Python side reads too', () => {
  const { client, server, tolerated, malformed } = vectors()

  it.each(client)('a client writes $name', ({ hex: expected, message }: Vector) => {
    expect(hex(encodeClient(message as unknown as ClientMessage))).toBe(expected)
  })

  it.each(server)('a client reads $name', ({ hex: frame, message }: Vector) => {
    expect(decodeServer(bytes(frame))).toEqual(message)
  })

  it.each(tolerated)('a client bears $name', ({ hex: frame, message }: Vector) => {
    expect(decodeServer(bytes(frame))).toEqual(message)
  })

  it.each(malformed)('a client refuses $name', ({ hex: frame, code }: Malformed) => {
    expect(() => decodeServer(bytes(frame))).toThrow(expect.objectContaining({ code }))
  })
})
