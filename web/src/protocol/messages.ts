/**
 * The messages of `collabdoc.v1` as plain readonly values; `native.ts` turns them into bytes and back.
 *
 * Names and fields are those of the Python side, in camel case.
 */

export type Mode = 'write' | 'read'

// Client to server

export interface Open {
  readonly type: 'open'
  readonly channel: number
  readonly document: string
  readonly stateVector: Uint8Array
  readonly token: string | null
  readonly epoch: string | null
  readonly seq: number | null
  /** How a large update may come in OPENED, if not only as it is. */
  readonly accepts?: 'deflate'
}

export interface Close {
  readonly type: 'close'
  readonly channel: number
}

export interface Update {
  readonly type: 'update'
  readonly channel: number
  readonly id: number
  readonly update: Uint8Array
}

export interface Awareness {
  readonly type: 'awareness'
  readonly channel: number
  readonly awareness: Uint8Array
}

export interface Auth {
  readonly type: 'auth'
  readonly channel: number
  readonly token: string
}

export interface Ping {
  readonly type: 'ping'
  readonly nonce: number
}

// Server to client

export interface Opened {
  readonly type: 'opened'
  readonly channel: number
  readonly epoch: string
  readonly mode: Mode
  readonly seq: number
  readonly resumed: boolean
  readonly server: string
  readonly stateVector: Uint8Array
  readonly update: Uint8Array
}

export interface Closed {
  readonly type: 'closed'
  readonly channel: number
  readonly code: number
  readonly reason: string
}

export interface Updates {
  readonly type: 'updates'
  readonly channel: number
  readonly seq: number
  readonly updates: readonly Uint8Array[]
}

export interface Presence {
  readonly type: 'presence'
  readonly channel: number
  readonly awareness: Uint8Array
}

export interface Pong {
  readonly type: 'pong'
  readonly nonce: number
}

export interface Saved {
  readonly type: 'saved'
  readonly channel: number
  readonly id: number
}

export interface Rejected {
  readonly type: 'rejected'
  readonly channel: number
  readonly id: number
  readonly code: number
  readonly reason: string
}

export interface GoAway {
  readonly type: 'goaway'
  readonly retryAfterMs: number
  readonly reason: string
}

export type ClientMessage = Open | Close | Update | Awareness | Auth | Ping
export type ServerMessage = Opened | Closed | Updates | Presence | Pong | Saved | Rejected | GoAway
/** The messages that belong to one channel. */
export type ChannelMessage = Exclude<ServerMessage, Pong | GoAway>
