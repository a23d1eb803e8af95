/**
 * Who is here: the awareness of one document, kept in step with the server.
 *
 * 1. The own state goes out when the channel opens and when it changes, at most every 50 ms, and the last state wins.
 * 2. The server says who left. While the line is fine nobody is dropped for being silent; once it is lost, all are.
 */

import {
  applyAwarenessUpdate,
  type Awareness,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from 'y-protocols/awareness'

import type { Environment, Timer } from './environment.js'

export const PRESENCE_INTERVAL_MS = 50

interface Changes {
  readonly added: readonly number[]
  readonly updated: readonly number[]
  readonly removed: readonly number[]
}

export class Presence {
  #open = false
  #announced = false
  #sentAt = -Infinity
  #timer: Timer | undefined

  constructor(
    private readonly awareness: Awareness,
    private readonly environment: Environment,
    private readonly send: (update: Uint8Array) => void,
  ) {
    awareness.on('update', this.#changed)
  }

  /** The channel is open: say who we are. */
  opened(): void {
    const { awareness } = this
    const meta = awareness.meta.get(awareness.clientID)
    if (this.#announced && meta !== undefined) {
      // When the last socket closed, the server told everybody that we left, maybe one clock further; peers would
      // ignore the same clock again.
      meta.clock += 1
      awareness.setLocalState(awareness.getLocalState())
    }
    this.#announced = true
    this.#open = true
    this.#flush()
  }

  /** The channel is gone, and with it all that we knew of the others. */
  closed(): void {
    this.#open = false
    this.environment.clearTimeout(this.#timer)
    this.#timer = undefined
    const others = [...this.awareness.meta.keys()].filter((client) => client !== this.awareness.clientID)
    removeAwarenessStates(this.awareness, others, this)
    // They come back with the clock that they had, which counts as old news while it is remembered.
    for (const client of others) this.awareness.meta.delete(client)
  }

  receive(update: Uint8Array): void {
    const { awareness } = this
    const ownClock = awareness.meta.get(awareness.clientID)?.clock
    applyAwarenessUpdate(awareness, update, this)
    for (const [client, meta] of awareness.meta) {
      // y-protocols drops whoever was silent for 30 s, as every hidden tab is; here the server tells who left.
      if (client !== awareness.clientID) meta.lastUpdated = Number.MAX_SAFE_INTEGER
    }
    if (awareness.meta.get(awareness.clientID)?.clock !== ownClock) {
      // Somebody took us for gone, such as a server that buried our last socket after we had come back.
      awareness.setLocalState(awareness.getLocalState())
    }
  }

  destroy(): void {
    this.awareness.off('update', this.#changed)
    this.closed()
  }

  readonly #changed = ({ added, updated, removed }: Changes, origin: unknown): void => {
    if (origin === this || !this.#open) return
    const { clientID } = this.awareness
    if (![...added, ...updated, ...removed].includes(clientID) || this.#timer !== undefined) return
    const delayMs = this.#sentAt + PRESENCE_INTERVAL_MS - this.environment.now()
    if (delayMs <= 0) this.#flush()
    else this.#timer = this.environment.setTimeout(() => this.#flush(), delayMs)
  }

  #flush(): void {
    this.environment.clearTimeout(this.#timer)
    this.#timer = undefined
    if (!this.#open || !this.awareness.meta.has(this.awareness.clientID)) return
    this.#sentAt = this.environment.now()
    this.send(encodeAwarenessUpdate(this.awareness, [this.awareness.clientID]))
  }
}
