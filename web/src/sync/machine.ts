/**
 * The connection's states and every move between them, as two literal tables.
 *
 * The line is the socket, which all documents of a page share; a channel is one document on it. What a person is told
 * follows from both (status.ts). An event that a state does not list is stale, and leaves the state as it is.
 */

export type LineState =
  | 'idle' // nobody wants a socket
  | 'connecting'
  | 'up'
  | 'waiting' // lost; backing off
  | 'offline' // lost, and the device says that it has no network
  | 'refused' // the server said no; only a new start tries again

export type LineEvent = 'start' | 'up' | 'lose' | 'cut' | 'refuse' | 'stop'

export const LINE: Readonly<Record<LineState, Readonly<Partial<Record<LineEvent, LineState>>>>> = {
  idle: { start: 'connecting' },
  connecting: { up: 'up', lose: 'waiting', cut: 'offline', refuse: 'refused', stop: 'idle' },
  up: { lose: 'waiting', cut: 'offline', refuse: 'refused', stop: 'idle' },
  waiting: { start: 'connecting', cut: 'offline', stop: 'idle' },
  offline: { start: 'connecting', stop: 'idle' },
  refused: { start: 'connecting', stop: 'idle' },
}

export type ChannelState =
  | 'away' // no line, or the local copy is still being read
  | 'opening'
  | 'open'
  | 'waiting' // the server closed the channel for a while; backing off
  | 'refused'
  | 'replaced'

export type ChannelEvent = 'open' | 'opened' | 'back-off' | 'leave' | 'refuse' | 'replace' | 'restart'

export const CHANNEL: Readonly<Record<ChannelState, Readonly<Partial<Record<ChannelEvent, ChannelState>>>>> = {
  away: { open: 'opening', refuse: 'refused' },
  opening: { opened: 'open', 'back-off': 'waiting', leave: 'away', refuse: 'refused', replace: 'replaced' },
  open: { 'back-off': 'waiting', leave: 'away', refuse: 'refused', replace: 'replaced' },
  waiting: { open: 'opening', leave: 'away', refuse: 'refused' },
  refused: { restart: 'away' },
  replaced: {},
}

/** The state after `event`, or null where the event is stale. */
export function move<State extends string, Event extends string>(
  table: Readonly<Record<State, Readonly<Partial<Record<Event, State>>>>>,
  state: State,
  event: Event,
): State | null {
  return table[state][event] ?? null
}
