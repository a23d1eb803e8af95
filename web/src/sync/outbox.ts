/**
 * The own edits of one document that the server has not SAVED yet.
 *
 * 1. An edit is numbered when it is made, 1, 2, 3 ... for the life of the outbox; edits adopted from an earlier visit
 *    are number 0. An UPDATE is numbered when it is taken, 1, 2, 3 ... for the life of a channel.
 * 2. Nothing leaves but by `saved`: a new channel sends everything again that the last one did not confirm.
 *    What was rejected is not saved by a later SAVED of the same channel, cumulative as that is.
 * 3. What is held is bounded by merging, so a day offline costs what its edits cost, not what their count does.
 */

import { mergeUpdates } from 'yjs'

const MERGE_AT = 64

interface Entry {
  /** The number of the last edit in `update`. */
  readonly upTo: number
  readonly update: Uint8Array
}

interface Sent extends Entry {
  readonly id: number
}

export interface Outgoing {
  readonly id: number
  readonly update: Uint8Array
}

export class Outbox {
  #made = 0
  #lastId = 0
  #rejectedId = Infinity
  #unsent: Entry[] = []
  #sent: Sent[] = []

  /** The number of the last edit made here. */
  get made(): number {
    return this.#made
  }

  /** True while anything made here, sent or not, is not SAVED. */
  get unsaved(): boolean {
    return this.#unsent.length > 0 || this.#sent.length > 0
  }

  /** Receive an edit; gives its number. */
  add(update: Uint8Array): number {
    this.#made += 1
    this.#unsent.push({ upTo: this.#made, update })
    if (this.#unsent.length >= MERGE_AT) this.#unsent = [mergeEntries(this.#unsent)]
    return this.#made
  }

  /** Receive an edit that an earlier visit left unsaved. */
  adopt(update: Uint8Array): void {
    this.#unsent.unshift({ upTo: 0, update })
  }

  /** A new channel is open: its ids begin at 1, and nothing counts as sent. */
  restart(): void {
    this.#unsent = [...this.#sent, ...this.#unsent].map(({ upTo, update }) => ({ upTo, update }))
    this.#sent = []
    this.#lastId = 0
    this.#rejectedId = Infinity
  }

  /** Everything that is not SAVED as one update; null where there is nothing. */
  unsavedUpdate(): Uint8Array | null {
    const entries = [...this.#sent, ...this.#unsent]
    return entries.length > 0 ? mergeEntries(entries).update : null
  }

  /** Send `update`, which holds every edit made so far. */
  takeAll(update: Uint8Array): Outgoing {
    this.#unsent = []
    return this.#send({ upTo: this.#made, update })
  }

  /** Take what was made since the last time as one UPDATE; null where there is nothing to send. */
  take(): Outgoing | null {
    if (this.#unsent.length === 0) return null
    const entry = mergeEntries(this.#unsent)
    this.#unsent = []
    return this.#send(entry)
  }

  /** The server did not take the UPDATE `id`; it stays here, for a channel that may. */
  rejected(id: number): void {
    this.#rejectedId = Math.min(this.#rejectedId, id)
  }

  /** The server committed every UPDATE up to `id`; gives the last edit that is now saved, null where none is new. */
  saved(id: number): number | null {
    let upTo: number | null = null
    while (this.#sent[0] !== undefined && this.#sent[0].id <= id && this.#sent[0].id < this.#rejectedId) {
      upTo = this.#sent[0].upTo
      this.#sent.shift()
    }
    return upTo
  }

  #send(entry: Entry): Outgoing {
    this.#lastId += 1
    this.#sent.push({ id: this.#lastId, ...entry })
    if (this.#sent.length >= MERGE_AT) {
      // The merged entry waits for the last of its ids: later than need be, never too early.
      this.#sent = [{ id: this.#lastId, ...mergeEntries(this.#sent) }]
    }
    return { id: this.#lastId, update: entry.update }
  }
}

/** Merge neighbours; `entries` is not empty. */
function mergeEntries(entries: readonly Entry[]): Entry {
  const last = entries[entries.length - 1] as Entry
  if (entries.length === 1) return { upTo: last.upTo, update: last.update }
  return { upTo: last.upTo, update: mergeUpdates(entries.map((entry) => entry.update)) }
}
