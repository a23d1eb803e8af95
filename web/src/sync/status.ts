/**
 * What a person is told about their document, derived from facts alone.
 *
 * 1. `saved` is said only where everything made here, sent or not, has been SAVED by the server.
 * 2. The derivation is pure: the same facts give the same status.
 */

import type { Mode } from '../protocol/messages.js'
import type { ChannelState, LineState } from './machine.js'

export type Status =
  | { kind: 'connecting' }
  | { kind: 'saving' } // open; some own edits are not yet SAVED
  | { kind: 'saved' } // open; every own edit is SAVED
  | { kind: 'readonly'; unsaved: boolean } // open in mode "read"; what is unsaved was made when one might still write
  | { kind: 'offline'; unsaved: boolean } // the device has no network; edits are kept on this device
  | { kind: 'reconnecting'; retryAt: number; reason: string; unsaved: boolean } // retryAt: Date.now() ms
  | { kind: 'unsaveable'; retryAt: number; reason: string } // open for reading; the server cannot store now; edits kept
  | { kind: 'refused'; code: number; reason: string; unsaved: boolean } // the server said no; waiting will not mend it
  | { kind: 'replaced'; reason: string } // the document began a new life; the local copy is kept aside

/** The same in y-websocket's words. */
export type Connection = 'connecting' | 'connected' | 'disconnected'

/** Why the line or the channel is not open, and when it will be tried again. */
export interface Trouble {
  readonly code: number
  readonly reason: string
  readonly retryAt: number
}

export const NO_TROUBLE: Trouble = { code: 0, reason: '', retryAt: 0 }

export interface Facts {
  readonly line: LineState
  readonly lineTrouble: Trouble
  readonly channel: ChannelState
  readonly channelTrouble: Trouble
  /** False where the device says that it has no network. */
  readonly network: boolean
  readonly mode: Mode
  readonly unsaved: boolean
  /** The server could not store an edit; further ones are held back until the channel is opened again. */
  readonly holding: boolean
}

export function deriveStatus(facts: Facts): Status {
  const { line, lineTrouble, channel, channelTrouble, unsaved } = facts
  if (channel === 'refused') return refused(channelTrouble, unsaved)
  if (channel === 'replaced') return { kind: 'replaced', reason: channelTrouble.reason }
  switch (line) {
    case 'refused':
      return refused(lineTrouble, unsaved)
    case 'idle':
    case 'offline':
      return { kind: 'offline', unsaved }
    case 'waiting':
      return facts.network ? reconnecting(lineTrouble, unsaved) : { kind: 'offline', unsaved }
    case 'connecting':
      return facts.network ? { kind: 'connecting' } : { kind: 'offline', unsaved }
    case 'up':
      return onLine(channel, facts)
  }
}

/** A document counts as connected while it is open, not as soon as the socket is. */
export function connectionOf({ kind }: Status): Connection {
  switch (kind) {
    case 'connecting':
      return 'connecting'
    case 'saving':
    case 'saved':
    case 'readonly':
    case 'unsaveable':
      return 'connected'
    case 'offline':
    case 'reconnecting':
    case 'refused':
    case 'replaced':
      return 'disconnected'
  }
}

/** Whether typing makes sense: also offline, but not where the server will never take it. */
export function mayEdit({ kind }: Status): boolean {
  return kind !== 'readonly' && kind !== 'refused' && kind !== 'replaced'
}

/** Why it is not better than it is, in words of the server where there are any. */
export function reasonOf(status: Status): string {
  return 'reason' in status && status.reason !== '' ? status.reason : `the document is ${status.kind}`
}

function onLine(channel: Exclude<ChannelState, 'refused' | 'replaced'>, facts: Facts): Status {
  if (facts.holding) {
    const { retryAt, reason } = facts.channelTrouble
    return { kind: 'unsaveable', retryAt, reason }
  }
  switch (channel) {
    case 'away':
    case 'opening':
      return { kind: 'connecting' }
    case 'waiting':
      return reconnecting(facts.channelTrouble, facts.unsaved)
    case 'open':
      if (facts.mode === 'read') return { kind: 'readonly', unsaved: facts.unsaved }
      return { kind: facts.unsaved ? 'saving' : 'saved' }
  }
}

function refused({ code, reason }: Trouble, unsaved: boolean): Status {
  return { kind: 'refused', code, reason, unsaved }
}

function reconnecting({ retryAt, reason }: Trouble, unsaved: boolean): Status {
  return { kind: 'reconnecting', retryAt, reason, unsaved }
}
