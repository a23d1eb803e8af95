/**
 * One document's channel on the line: it opens when the line is up, and opens again whenever that can help.
 *
 * 1. Each OPEN takes a fresh channel number, so a late frame of an old channel finds nobody.
 * 2. A channel that the server closed for a while comes back after its own backoff; the line and its other documents
 *    are left alone.
 * 3. When the server cannot store an edit, the channel stays open for reading and holds edits back until it is opened
 *    again, which sends what the server lacks.
 * 4. A document that the server's operator has to see to first is tried again with the next line, and no sooner: that
 *    takes a restart of the server.
 */

import { closeCode, UNREADABLE } from '../protocol/errors.js'
import type { ChannelMessage, ClientMessage, Closed, Mode, Open, Opened, Rejected } from '../protocol/messages.js'
import { Backoff } from './backoff.js'
import type { Environment, Timer } from './environment.js'
import { CHANNEL, type ChannelEvent, type ChannelState, type LineState, move } from './machine.js'
import { attachLine, type Line } from './socket.js'
import { NO_TROUBLE, type Trouble } from './status.js'

export type Introduction = Pick<Open, 'document' | 'stateVector' | 'token' | 'epoch' | 'seq'>

type WithoutChannel<Message> = Message extends { channel: number } ? Omit<Message, 'channel'> : never

/** The document's side of its channel. */
export interface ChannelUser {
  /** What OPEN says; null while the document is not ready to be opened. */
  introduce(): Introduction | null
  /** The channel is open if this can take what the server sent; otherwise it backs off. */
  receiveOpened(opened: Opened): boolean
  receive(message: Exclude<ChannelMessage, Opened | Closed>): void
  /** An open channel is no longer. */
  channelLost(): void
  /** The server said that our copy must not be merged: true where there is one, and it is out of the way now. */
  setCopyAside(why: Closed): boolean
  /** Something changed that a person may be told. */
  changed(): void
}

interface Why {
  readonly code: number
  readonly reason: string
}

export class Channel {
  #state: ChannelState = 'away'
  #trouble: Trouble = NO_TROUBLE
  #mode: Mode = 'write'
  #holding = false
  #number = 0
  #line: Line | null = null
  #timer: Timer | undefined
  readonly #backoff: Backoff

  constructor(
    private readonly url: string,
    private readonly environment: Environment,
    private readonly user: ChannelUser,
  ) {
    this.#backoff = new Backoff(() => environment.random())
  }

  get state(): ChannelState {
    return this.#state
  }

  get trouble(): Trouble {
    return this.#trouble
  }

  get line(): LineState {
    return this.#line?.state ?? 'idle'
  }

  get lineTrouble(): Trouble {
    return this.#line?.trouble ?? NO_TROUBLE
  }

  /** Why the server or the line closed the document; NO_TROUBLE where neither did. */
  get closedBy(): Trouble {
    if (this.lineTrouble !== NO_TROUBLE) return this.lineTrouble
    const isClosed = this.#state === 'waiting' || this.#state === 'refused' || this.#state === 'replaced'
    return isClosed ? this.#trouble : NO_TROUBLE
  }

  get mode(): Mode {
    return this.#mode
  }

  /** The server could not store an edit; further ones wait until the channel is opened again. */
  get holding(): boolean {
    return this.#holding
  }

  /** True where an UPDATE would be taken now. */
  get takesEdits(): boolean {
    return this.#state === 'open' && this.#mode === 'write' && !this.#holding
  }

  /** Attach to the line; after a refusal, try once more, with what this browser may show for itself by now. */
  connect(): void {
    if (this.#state === 'replaced') return
    const wasRefused = this.#move('restart')
    if (this.#line === null) this.#line = attachLine(this.url, this.environment, this)
    else this.#line.attach(this)
    if (wasRefused) this.#line.renew()
    this.lineChanged()
  }

  disconnect(): void {
    this.#sayClose()
    this.#end('leave')
    this.#detach()
    this.user.changed()
  }

  /** The document became ready to be opened. */
  open(): void {
    if (this.#line?.state !== 'up') return
    const introduction = this.user.introduce()
    if (introduction === null || !this.#move('open')) return
    this.#number = this.#line.claimChannel(this)
    this.send({ type: 'open', ...introduction, accepts: 'deflate' })
  }

  /** Try now what waits for its time. */
  retryNow(): void {
    this.#line?.retryNow()
    if (this.#state === 'waiting' || this.#holding) this.#reopen()
  }

  send(message: WithoutChannel<ClientMessage>): void {
    this.#line?.send({ ...message, channel: this.#number })
  }

  /** Everything is SAVED: whatever went wrong before is over. */
  settled(): void {
    this.#backoff.reset()
  }

  /** What the server sent could not be used: leave, and open again later. */
  fail(why: Why): void {
    this.#sayClose()
    this.#backOff(why)
  }

  /** The line went up or down; called by the line. */
  lineChanged(): void {
    if (this.#line?.state !== 'up') {
      this.#move('restart') // which only one that waits for the next line hears of
      this.#end('leave')
    } else if (this.#state === 'away') {
      this.open()
    }
    this.user.changed()
  }

  /** A message for this channel; called by the line. */
  receive(message: ChannelMessage): void {
    if (message.type === 'opened') {
      this.#receiveOpened(message)
    } else if (message.type === 'closed') {
      this.#receiveClosed(message)
    } else if (this.#state === 'open') {
      this.user.receive(message)
      if (message.type === 'rejected') this.#receiveRejected(message)
    }
    this.user.changed()
  }

  #receiveOpened(opened: Opened): void {
    if (!this.#move('opened')) return
    this.#mode = opened.mode
    this.#holding = false
    this.#trouble = NO_TROUBLE
    if (this.user.receiveOpened(opened)) this.#line?.synced()
  }

  #receiveRejected({ code, reason }: Rejected): void {
    if (code === 4403) {
      this.#mode = 'read'
    } else if (closeCode(code).action === 'retry') {
      if (this.#holding) return // each UPDATE that was under way gets one of these
      this.#holding = true
      this.#waitToReopen({ code, reason })
    } else {
      this.#sayClose()
      this.#refuse({ code, reason })
    }
  }

  #receiveClosed(closed: Closed): void {
    const { action } = closeCode(closed.code)
    if (action === 'retry') {
      this.#backOff(closed)
    } else if ((action === 'replaced' || closed.code === 4404) && this.user.setCopyAside(closed)) {
      this.#trouble = troubleOf(closed, 0)
      this.#end('replace')
      this.#detach()
    } else {
      this.#refuse(closed)
    }
  }

  #backOff(why: Why): void {
    this.#end('back-off')
    this.#waitToReopen(why)
  }

  #waitToReopen(why: Why): void {
    this.environment.clearTimeout(this.#timer)
    const delayMs = this.#backoff.takeDelayMs()
    this.#trouble = troubleOf(why, this.environment.now() + delayMs)
    this.#timer = this.environment.setTimeout(() => this.#reopen(), delayMs)
  }

  #reopen(): void {
    this.#sayClose()
    this.#end('back-off')
    this.open()
    this.user.changed()
  }

  #refuse(why: Why): void {
    this.#trouble = troubleOf(why, 0)
    this.#end('refuse')
    if (why.code !== UNREADABLE) this.#detach()
  }

  /** Tell the server that we leave, where it does not know. */
  #sayClose(): void {
    if (this.#state === 'open' || this.#state === 'opening') this.send({ type: 'close' })
  }

  /** The channel is no longer: forget its number and its timer. */
  #end(event: ChannelEvent): void {
    this.environment.clearTimeout(this.#timer)
    const wasOpen = this.#state === 'open'
    if (!this.#move(event)) return
    this.#line?.releaseChannel(this.#number)
    if (wasOpen) this.user.channelLost()
  }

  #detach(): void {
    const line = this.#line
    this.#line = null
    line?.detach(this)
  }

  /** False where the event is stale in this state. */
  #move(event: ChannelEvent): boolean {
    const state = move(CHANNEL, this.#state, event)
    if (state !== null) this.#state = state
    return state !== null
  }
}

function troubleOf({ code, reason }: Why, retryAt: number): Trouble {
  return { code, reason: reason || closeCode(code).sentence, retryAt }
}
