/**
 * The native dialect, `collabdoc.v1`: one msgpack array a frame, bytes to messages and back, no I/O.
 *
 * 1. Nothing is built from a frame before its size, nesting and number of values are known to be in bounds.
 * 2. An unknown message type decodes to null and is ignored, as are elements behind those that this version knows.
 * 3. Everything else that is wrong is a ProtocolError with the code that the socket is closed with.
 */

import { decode, encode } from '@msgpack/msgpack'
import { unzlibSync } from 'fflate'

import { type Bounds, checkBounds } from './bounds.js'
import { ProtocolError } from './errors.js'
import type { ClientMessage, Mode, ServerMessage } from './messages.js'

export const SUBPROTOCOL = 'collabdoc.v1'
export const MAX_CHANNEL = 2 ** 31 - 1

/** The server's frames are 16 MiB by default; a snapshot that it sends may be larger than what it takes. */
export const SERVER_BOUNDS: Bounds = { maxBytes: 256 * 1024 * 1024, maxValues: 100_000, maxDepth: 6 }

const OPEN = 1
const CLOSE = 2
const UPDATE = 3
const AWARENESS = 4
const AUTH = 5
const PING = 6

const OPENED = 1
const CLOSED = 2
const UPDATES = 3
const PRESENCE = 4
const PONG = 6
const SAVED = 7
const REJECTED = 8
const GOAWAY = 9

/** Write one frame as a client does. */
export function encodeClient(message: ClientMessage): Uint8Array<ArrayBuffer> {
  return encode(toFields(message))
}

/** Read one frame of a server; null for a message type that this version does not know. */
export function decodeServer(frame: Uint8Array, bounds: Bounds = SERVER_BOUNDS): ServerMessage | null {
  checkBounds(frame, bounds)
  let value: unknown
  try {
    value = decode(frame)
  } catch (error) {
    throw new ProtocolError(4400, `a frame is not one msgpack array: ${(error as Error).message}`)
  }
  if (!Array.isArray(value)) throw new ProtocolError(4400, 'a frame is not one msgpack array')
  return fromFields(new Fields(value as unknown as Values))
}

function toFields(message: ClientMessage): unknown[] {
  switch (message.type) {
    case 'open': {
      const { channel, document, stateVector, token, epoch, seq, accepts } = message
      const fields = [OPEN, channel, document, stateVector, token, epoch, seq]
      return accepts === undefined ? fields : [...fields, accepts]
    }
    case 'close':
      return [CLOSE, message.channel]
    case 'update':
      return [UPDATE, message.channel, message.id, message.update]
    case 'awareness':
      return [AWARENESS, message.channel, message.awareness]
    case 'auth':
      return [AUTH, message.channel, message.token]
    case 'ping':
      return [PING, message.nonce]
  }
}

function fromFields(fields: Fields): ServerMessage | null {
  switch (fields.uint(0)) {
    case OPENED: {
      const info = fields.map(2)
      return {
        type: 'opened',
        channel: fields.channel(1),
        epoch: info.string('epoch'),
        mode: mode(info.string('mode')),
        seq: info.uint('seq'),
        resumed: info.boolean('resumed'),
        server: info.string('server'),
        stateVector: fields.bytes(3),
        update: info.has('encoding', 'deflate') ? inflate(fields.bytes(4)) : fields.bytes(4),
      }
    }
    case CLOSED:
      return { type: 'closed', channel: fields.channel(1), code: fields.uint(2), reason: fields.string(3) }
    case UPDATES:
      return { type: 'updates', channel: fields.channel(1), seq: fields.uint(2), updates: fields.listOfBytes(3) }
    case PRESENCE:
      return { type: 'presence', channel: fields.channel(1), awareness: fields.bytes(2) }
    case PONG:
      return { type: 'pong', nonce: fields.uint(1) }
    case SAVED:
      return { type: 'saved', channel: fields.channel(1), id: fields.uint(2) }
    case REJECTED:
      return {
        type: 'rejected',
        channel: fields.channel(1),
        id: fields.uint(2),
        code: fields.uint(3),
        reason: fields.string(4),
      }
    case GOAWAY:
      return { type: 'goaway', retryAfterMs: fields.uint(1), reason: fields.string(2) }
    default:
      return null
  }
}

function inflate(data: Uint8Array): Uint8Array {
  try {
    return unzlibSync(data)
  } catch (error) {
    throw new ProtocolError(4400, `an update cannot be inflated: ${(error as Error).message}`)
  }
}

function mode(value: string): Mode {
  if (value === 'write' || value === 'read') return value
  throw new ProtocolError(4400, `mode is ${JSON.stringify(value)}, expected "write" or "read"`)
}

type Values = Readonly<Record<string | number, unknown>>

/** Typed reading of decoded values by position or key; anything else than what is expected is the peer's violation. */
class Fields {
  constructor(private readonly values: Values) {}

  uint(key: number | string): number {
    const value = this.values[key]
    // Integers beyond 2^53 arrive rounded, and a rounded number must not pass as the one that was sent.
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
    throw unexpected(key, value, 'an unsigned integer')
  }

  channel(key: number): number {
    const value = this.uint(key)
    if (value >= 1 && value <= MAX_CHANNEL) return value
    throw unexpected(key, value, 'a channel number')
  }

  string(key: number | string): string {
    const value = this.values[key]
    if (typeof value === 'string') return value
    throw unexpected(key, value, 'a string')
  }

  has(key: string, value: string): boolean {
    return this.values[key] === value
  }

  boolean(key: string): boolean {
    const value = this.values[key]
    if (typeof value === 'boolean') return value
    throw unexpected(key, value, 'a boolean')
  }

  bytes(key: number): Uint8Array {
    const value = this.values[key]
    if (value instanceof Uint8Array) return value
    throw unexpected(key, value, 'binary')
  }

  listOfBytes(key: number): Uint8Array[] {
    const value = this.values[key]
    if (Array.isArray(value) && value.every((item) => item instanceof Uint8Array)) return value
    throw unexpected(key, value, 'an array of binaries')
  }

  map(key: number): Fields {
    const value = this.values[key]
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)) {
      return new Fields(value as Values)
    }
    throw unexpected(key, value, 'a map')
  }
}

function unexpected(key: number | string, value: unknown, expected: string): ProtocolError {
  return new ProtocolError(4400, `element ${key} of a message is ${typeof value}, expected ${expected}`)
}
