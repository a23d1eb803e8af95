/** The server's half of the codec, for tests: what the client's half reads and writes. */

import { decode, encode } from '@msgpack/msgpack'

import type { ClientMessage, ServerMessage } from '../../../src/protocol/messages'

export function encodeServer(message: ServerMessage): Uint8Array<ArrayBuffer> {
  switch (message.type) {
    case 'opened': {
      const { channel, epoch, mode, seq, resumed, server, stateVector, update } = message
      return encode([1, channel, { epoch, mode, seq, resumed, server }, stateVector, update])
    }
    case 'closed':
      return encode([2, message.channel, message.code, message.reason])
    case 'updates':
      return encode([3, message.channel, message.seq, message.updates])
    case 'presence':
      return encode([4, message.channel, message.awareness])
    case 'pong':
      return encode([6, message.nonce])
    case 'saved':
      return encode([7, message.channel, message.id])
    case 'rejected':
      return encode([8, message.channel, message.id, message.code, message.reason])
    case 'goaway':
      return encode([9, message.retryAfterMs, message.reason])
  }
}

export function decodeClient(frame: Uint8Array): ClientMessage {
  const [type, ...fields] = decode(frame) as [number, ...never[]]
  switch (type) {
    case 1: {
      const [channel, document, stateVector, token, epoch, seq] = fields as never as [
        number,
        string,
        Uint8Array,
        string | null,
        string | null,
        number | null,
      ]
      return { type: 'open', channel, document, stateVector, token, epoch, seq }
    }
    case 2:
      return { type: 'close', channel: fields[0] as never }
    case 3:
      return { type: 'update', channel: fields[0] as never, id: fields[1] as never, update: fields[2] as never }
    case 4:
      return { type: 'awareness', channel: fields[0] as never, awareness: fields[1] as never }
    case 5:
      return { type: 'auth', channel: fields[0] as never, token: fields[1] as never }
    case 6:
      return { type: 'ping', nonce: fields[0] as never }
    default:
      throw new Error(`a client sent the type ${type}`)
  }
}
