/**
 * The line: one WebSocket to one server, shared by all documents of a page.
 *
 * 1. It lives while somebody is attached to it: the first opens the socket, the last closes it.
 * 2. It comes back by itself, after a backoff that only a synced document resets.
 * 3. Frames that cannot be decoded close the socket with 4400, and the line backs off.
 */

import { closeCode, ProtocolError } from '../protocol/errors.js'
import type { ChannelMessage, ClientMessage, ServerMessage } from '../protocol/messages.js'
import { decodeServer, encodeClient, SUBPROTOCOL } from '../protocol/native.js'
import { Backoff } from './backoff.js'
import type { Environment, Timer, Wake, WebSocketLike } from './environment.js'
import { Liveness } from './liveness.js'
import { LINE, type LineEvent, type LineState, move } from './machine.js'
import { NO_TROUBLE, type Trouble } from './status.js'

/** A socket that is not up by then is given up: a handshake into a dead network would hang for minutes. */
export const CONNECT_TIMEOUT_MS = 10_000

/** One document's end of the line. */
export interface LineUser {
  /** The line's state changed. */
  lineChanged(): void
  receive(message: ChannelMessage): void
}

const lines = new Map<string, Line>()

/** Attach to the line to `url`, which all users of the same environment share. */
export function attachLine(url: string, environment: Environment, user: LineUser): Line {
  let line = lines.get(url)
  if (line === undefined || line.environment !== environment) {
    line = new Line(url, environment, (closed) => {
      if (lines.get(url) === closed) lines.delete(url)
    })
    lines.set(url, line)
  }
  line.attach(user)
  return line
}

export class Line {
  #state: LineState = 'idle'
  #trouble: Trouble = NO_TROUBLE
  #socket: WebSocketLike | null = null
  #timer: Timer | undefined
  #liveness: Liveness | null = null
  #nonce = 0
  #lastChannel = 0
  #stopListening: (() => void) | null = null
  readonly #backoff: Backoff
  readonly #users = new Set<LineUser>()
  readonly #channels = new Map<number, LineUser>()

  constructor(
    private readonly url: string,
    readonly environment: Environment,
    private readonly onUnused: (line: Line) => void,
  ) {
    this.#backoff = new Backoff(() => environment.random())
  }

  get state(): LineState {
    return this.#state
  }

  /** Why the line is down, and when it will be tried again. */
  get trouble(): Trouble {
    return this.#trouble
  }

  attach(user: LineUser): void {
    this.#users.add(user)
    this.#stopListening ??= this.environment.onWake((wake) => this.#wake(wake))
    if (this.#state === 'idle' || this.#state === 'refused') this.#connect()
  }

  detach(user: LineUser): void {
    this.#users.delete(user)
    for (const [channel, owner] of this.#channels) if (owner === user) this.#channels.delete(channel)
    if (this.#users.size > 0) return
    this.#stopListening?.()
    this.#stopListening = null
    this.#drop()
    this.#move('stop')
    this.onUnused(this)
  }

  /** A channel number of this socket that was never used before, so a late frame for an old one finds nobody. */
  claimChannel(user: LineUser): number {
    this.#lastChannel += 1
    this.#channels.set(this.#lastChannel, user)
    return this.#lastChannel
  }

  releaseChannel(channel: number): void {
    this.#channels.delete(channel)
  }

  send(message: ClientMessage): void {
    if (this.#state === 'up') this.#socket?.send(encodeClient(message))
  }

  /** Do not wait for the backoff. */
  retryNow(): void {
    if (this.#state === 'waiting' || this.#state === 'offline') this.#connect()
  }

  /** Connect anew: a socket keeps the cookies that it was opened with, also when others have come since. */
  renew(): void {
    if (this.#state !== 'up') return
    this.#drop()
    this.#move('lose')
    this.#connect()
  }

  /** A document is synced: the line is worth its attempts. */
  synced(): void {
    this.#backoff.reset()
  }

  #connect(): void {
    if (!this.#move('start')) return
    this.environment.clearTimeout(this.#timer)
    const { WebSocket } = this.environment
    try {
      if (WebSocket === undefined) throw new Error('no WebSocket here')
      const socket = new WebSocket(this.url, [SUBPROTOCOL])
      socket.binaryType = 'arraybuffer'
      socket.onopen = () => this.#opened()
      socket.onmessage = (event: { data: unknown }) => this.#received(event.data)
      socket.onclose = (event: { code: number; reason: string }) => this.#closed(event.code, event.reason)
      socket.onerror = () => this.#failed()
      this.#socket = socket
    } catch (error) {
      console.error(`collabdoc: cannot connect to ${this.url}`, error)
      this.#lose({ code: 1006, reason: 'The server cannot be reached.' })
      return
    }
    this.#timer = this.environment.setTimeout(
      () => this.#lose({ code: 1006, reason: 'The server does not answer.' }),
      CONNECT_TIMEOUT_MS,
    )
    this.#announce()
  }

  #opened(): void {
    this.environment.clearTimeout(this.#timer)
    this.#lastChannel = 0
    this.#liveness = new Liveness(this.environment.now())
    this.#trouble = NO_TROUBLE
    this.#move('up')
    this.#watch()
    this.#announce()
  }

  #received(data: unknown): void {
    this.#liveness?.heard(this.environment.now())
    let message: ServerMessage | null
    try {
      if (!(data instanceof ArrayBuffer)) throw new ProtocolError(4400, 'a frame is text, expected binary')
      message = decodeServer(new Uint8Array(data))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      console.error('collabdoc: the server sent a frame that is not a message', error)
      this.#lose({ code: 4400, reason: 'The server sent something that this editor does not understand.' })
      return
    }
    if (message === null || message.type === 'pong') return
    if (message.type === 'goaway') this.#backoff.ask(message.retryAfterMs)
    else this.#channels.get(message.channel)?.receive(message)
  }

  /** An open socket tells more in its close; one that never opened is not always closed after its error (Node 20). */
  #failed(): void {
    if (this.#state === 'connecting') this.#lose({ code: 1006, reason: 'The server cannot be reached.' })
  }

  #closed(code: number, reason: string): void {
    const { action, sentence } = closeCode(code)
    if (action === 'retry') {
      const unreached = this.#state === 'connecting' ? 'The server cannot be reached.' : sentence
      this.#lose({ code, reason: reason || unreached })
      return
    }
    this.#drop()
    this.#trouble = { code, reason: reason || sentence, retryAt: 0 }
    this.#move('refuse')
    this.#announce()
  }

  /** The line is gone; come again after the backoff. */
  #lose({ code, reason }: { code: number; reason: string }): void {
    this.#drop(code >= 4000 ? code : undefined)
    const delayMs = this.#backoff.takeDelayMs()
    this.#trouble = { code, reason, retryAt: this.environment.now() + delayMs }
    this.#move(this.environment.isOnline() ? 'lose' : 'cut')
    this.#timer = this.environment.setTimeout(() => this.#connect(), delayMs)
    this.#announce()
  }

  /** Let go of the socket without waiting for its close, which on a dead line takes minutes to come. */
  #drop(code?: number): void {
    this.environment.clearTimeout(this.#timer)
    this.#liveness = null
    this.#channels.clear()
    const socket = this.#socket
    this.#socket = null
    if (socket === null) return
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null
    socket.close(code)
  }

  /** Ask whether somebody is there, when it is time; sets the timer for the next look. */
  #watch(): void {
    this.environment.clearTimeout(this.#timer)
    const liveness = this.#liveness
    if (liveness === null) return
    const { environment } = this
    const verdict = liveness.check(environment.now(), { hidden: environment.isHidden() })
    if (verdict === 'dead') {
      this.#lose({ code: 4408, reason: 'The server does not answer.' })
      return
    }
    if (verdict === 'ping') this.#ping()
    const delayMs = liveness.wakeAt({ hidden: environment.isHidden() }) - environment.now()
    this.#timer = environment.setTimeout(() => this.#watch(), Math.max(0, delayMs))
  }

  #ping(): void {
    this.#nonce += 1
    this.send({ type: 'ping', nonce: this.#nonce })
  }

  #wake(wake: Wake): void {
    if (this.#state === 'up') {
      this.#liveness?.probe(this.environment.now())
      this.#ping()
      this.#watch()
    } else if (wake === 'offline') {
      this.#move('cut')
      this.#announce()
    } else {
      this.retryNow()
    }
  }

  /** False where the event is stale in this state. */
  #move(event: LineEvent): boolean {
    const state = move(LINE, this.#state, event)
    if (state !== null) this.#state = state
    return state !== null
  }

  #announce(): void {
    for (const user of [...this.#users]) user.lineChanged()
  }
}

/** `https://host`, `ws://host` or a full `wss://host/ws`: the address of the server's socket. */
export function socketUrl(url: string): string {
  const address = new URL(url)
  address.protocol = address.protocol.replace('http', 'ws')
  if (!address.pathname.endsWith('/ws')) address.pathname = `${address.pathname.replace(/\/$/, '')}/ws`
  return address.href
}
