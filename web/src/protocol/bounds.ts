/**
 * Walks the headers of a msgpack frame before anything is built from it.
 *
 * 1. One complete value and nothing behind it.
 * 2. Nesting and the number of values are bounded, so a small frame cannot become a large heap: a megabyte of empty
 *    arrays would be some 70 MB of objects.
 * 3. No extension types.
 */

import { ProtocolError } from './errors.js'

export interface Bounds {
  readonly maxBytes: number
  readonly maxValues: number
  readonly maxDepth: number
}

/** Throw a ProtocolError (1009 for the size, 4400 for the rest) unless `frame` is one msgpack value in `bounds`. */
export function checkBounds(frame: Uint8Array, bounds: Bounds): void {
  if (frame.byteLength > bounds.maxBytes) {
    throw new ProtocolError(1009, `a frame has ${frame.byteLength} bytes, expected at most ${bounds.maxBytes}`)
  }
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  /** How many values are still to come at each depth. */
  const open = [1]
  let position = 0
  let values = 0
  while (open.length > 0) {
    const left = open[open.length - 1] as number
    if (left === 0) {
      open.pop()
      continue
    }
    open[open.length - 1] = left - 1
    if (++values > bounds.maxValues) {
      throw new ProtocolError(4400, `a frame holds more than ${bounds.maxValues} values`)
    }
    const { next, children } = readHeader(view, position)
    if (next > frame.byteLength) throw new ProtocolError(4400, 'a frame ends inside a value')
    position = next
    if (children > 0) {
      if (open.length > bounds.maxDepth) {
        throw new ProtocolError(4400, `a frame nests deeper than ${bounds.maxDepth}`)
      }
      open.push(children)
    }
  }
  if (position !== frame.byteLength) {
    throw new ProtocolError(4400, `${frame.byteLength - position} bytes follow the message in its frame`)
  }
}

interface Header {
  /** Where the header and its own bytes end. */
  readonly next: number
  readonly children: number
}

/** Bytes of payload behind the fixed-width types 0xca to 0xd3: floats, unsigned and signed integers. */
const NUMBER_BYTES = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8] as const

function readHeader(view: DataView, position: number): Header {
  const tag = read(view, position, 1)
  const body = position + 1
  if (tag <= 0x7f || tag >= 0xe0 || tag === 0xc0 || tag === 0xc2 || tag === 0xc3) return { next: body, children: 0 }
  if (tag <= 0x8f) return { next: body, children: 2 * (tag & 0x0f) }
  if (tag <= 0x9f) return { next: body, children: tag & 0x0f }
  if (tag <= 0xbf) return { next: body + (tag & 0x1f), children: 0 }
  if (tag >= 0xca && tag <= 0xd3) return { next: body + (NUMBER_BYTES[tag - 0xca] as number), children: 0 }
  if (tag >= 0xc4 && tag <= 0xc6) return sized(view, body, 1 << (tag - 0xc4))
  if (tag >= 0xd9 && tag <= 0xdb) return sized(view, body, 1 << (tag - 0xd9))
  if (tag === 0xdc || tag === 0xdd) {
    const width = tag === 0xdc ? 2 : 4
    return { next: body + width, children: read(view, body, width) }
  }
  if (tag === 0xde || tag === 0xdf) {
    const width = tag === 0xde ? 2 : 4
    return { next: body + width, children: 2 * read(view, body, width) }
  }
  throw new ProtocolError(4400, `a frame holds the msgpack type 0x${tag.toString(16)}, which the protocol does not use`)
}

function sized(view: DataView, body: number, width: number): Header {
  return { next: body + width + read(view, body, width), children: 0 }
}

function read(view: DataView, position: number, width: number): number {
  if (position + width > view.byteLength) throw new ProtocolError(4400, 'a frame ends inside a value')
  if (width === 1) return view.getUint8(position)
  return width === 2 ? view.getUint16(position) : view.getUint32(position)
}
