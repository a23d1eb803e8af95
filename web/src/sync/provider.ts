/**
 * Keeps one Y.Doc in step with a collabdoc server, and with this device's copy of it.
 *
 * 1. What the server sent is applied with the provider as its origin, and is never sent back.
 * 2. The status is `saved` only where every edit made here, in this visit or in one before, has been SAVED.
 * 3. Nothing ends the provider but `destroy`, a code that says so, or the document's new life: lost lines, a killed
 *    server, damaged updates and a failing store all lead back to an open document without a reload.
 */

import { ObservableV2 } from 'lib0/observable'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'

import type { ChannelMessage, Closed, Opened } from '../protocol/messages.js'
import { Channel, type ChannelUser, type Introduction } from './channel.js'
import { type Environment, environmentOf } from './environment.js'
import { News, type ProviderEvents } from './events.js'
import { whatServerLacks } from './lacks.js'
import { applyStored, copyName, NOTHING_KEPT, OfflineCopy } from './offline.js'
import { Outbox, type Outgoing } from './outbox.js'
import { Presence } from './presence.js'
import { socketUrl } from './socket.js'
import { deriveStatus, mayEdit, reasonOf, type Status } from './status.js'

export interface ProviderOptions {
  /** Sent with OPEN; without one the connection's own credentials (cookie) count. */
  token?: string
  awareness?: Awareness
  /** Connect at once (default true). */
  connect?: boolean
  /** Keep a copy on this device where it has IndexedDB (default true). */
  offline?: boolean
  /** Whose copy it is, on a device that several people use. */
  user?: string
  /** Whose unsaved edits on this device are ours from now on, such as those of a guest who has signed in since. */
  heirOf?: string
  /** Stands in for parts of the browser, in tests and where there is no global WebSocket. */
  environment?: Partial<Environment>
}

export class CollabdocProvider extends ObservableV2<ProviderEvents> {
  readonly awareness: Awareness
  /** The local copy is read; resolves also where there is none. */
  readonly whenLoaded: Promise<void>
  /** The first OPENED is applied. */
  readonly whenSynced: Promise<void>

  #loaded = false
  #destroyed = false
  #flushDue = false
  #epoch: string | null = null
  /** The watermark; null where the content that it stands for is in doubt. */
  #seq: number | null = null
  #aside: Uint8Array | null = null
  /** Whether this device keeps the copy that was set aside; null before one was. */
  #keepsAside: boolean | null = null
  #token: string | null
  #status: Status
  #resolveSynced: () => void = () => {}
  readonly #environment: Environment
  readonly #url: string
  readonly #channel: Channel
  readonly #outbox = new Outbox()
  readonly #copy: OfflineCopy | null
  readonly #presence: Presence
  readonly #ownsAwareness: boolean
  readonly #news: News

  constructor(
    url: string,
    readonly name: string,
    readonly doc: Y.Doc,
    options: ProviderOptions = {},
  ) {
    super()
    this.#environment = environmentOf(options.environment)
    this.#url = socketUrl(url)
    this.#token = options.token ?? null
    this.#channel = new Channel(this.#url, this.#environment, this.#channelUser())
    this.#ownsAwareness = options.awareness === undefined
    this.awareness = options.awareness ?? new Awareness(doc)
    this.#presence = new Presence(this.awareness, this.#environment, (awareness) =>
      this.#channel.send({ type: 'awareness', awareness }),
    )
    this.#copy = options.offline === false ? null : this.#openCopy(options.user ?? '')
    this.#status = this.#derive()
    this.#news = new News(this)
    this.whenSynced = new Promise((resolve) => (this.#resolveSynced = resolve))
    // What the document held before the provider came is an edit like any other.
    if (doc.store.clients.size > 0) this.#receiveEdit(Y.encodeStateAsUpdate(doc))
    doc.on('update', this.#docUpdated)
    doc.on('destroy', this.#docDestroyed)
    this.whenLoaded = this.#load(options.heirOf)
    if (options.connect !== false) this.connect()
  }

  get status(): Status {
    return this.#status
  }

  /** True while the channel is open: the document is as the server has it, but for edits under way. */
  get synced(): boolean {
    return this.#channel.state === 'open'
  }

  /** False where the server granted reading only. */
  get writable(): boolean {
    return this.#channel.mode === 'write'
  }

  /** True while anything made here, in this visit or in one before, is not SAVED. */
  get unsaved(): boolean {
    return this.#outbox.unsaved
  }

  /** Whether what is unsaved outlives this page on this device. */
  get keepsCopy(): boolean {
    return this.#keepsAside ?? this.#copy?.keeps ?? false
  }

  /** Connect, and stay connected; after `refused`, try once more. */
  connect(): void {
    if (!this.#destroyed) this.#channel.connect()
  }

  /** Leave the document; edits are kept on this device. */
  disconnect(): void {
    this.#channel.disconnect()
  }

  /** Try now what waits for its time. */
  retryNow(): void {
    this.#channel.retryNow()
  }

  /** Replace the token before it expires. */
  setToken(token: string): void {
    this.#token = token
    if (this.synced) this.#channel.send({ type: 'auth', token })
  }

  /** Resolves once everything made here is committed on the server; rejects where the server will not take it. */
  async whenSaved(): Promise<void> {
    while (this.unsaved) {
      if (!mayEdit(this.#status)) throw new Error(`edits of ${this.name} are not saved: ${reasonOf(this.#status)}`)
      await new Promise<unknown>((resolve) => this.once('change', resolve))
    }
  }

  /** Resolves once every edit so far is kept on this device. */
  async flush(): Promise<void> {
    await this.#copy?.flush()
  }

  /** The copy that was set aside when the document was replaced, as a Yjs update; null where there is none. */
  async keptAside(): Promise<Uint8Array | null> {
    return this.#aside ?? (await this.#copy?.keptAside()) ?? null
  }

  /** Give up what is not SAVED, and this device's copy with it. The provider has ended then, and the document is stale. */
  async discard(): Promise<void> {
    this.doc.off('update', this.#docUpdated)
    this.#channel.disconnect()
    await this.#copy?.setAside(null)
    await this.destroy()
  }

  /** Stop; resolves when every edit is kept on this device. The document itself stays. */
  override async destroy(): Promise<void> {
    if (this.#destroyed) return
    this.#destroyed = true
    super.destroy()
    this.doc.off('update', this.#docUpdated)
    this.doc.off('destroy', this.#docDestroyed)
    this.#flush()
    this.#channel.disconnect()
    this.#presence.destroy()
    if (this.#ownsAwareness) this.awareness.destroy()
    await this.whenLoaded
    await this.#copy?.flush()
    this.#copy?.close()
  }

  /** The channel calls these; they are no part of the provider's face. */
  #channelUser(): ChannelUser {
    return {
      introduce: () => this.#introduce(),
      receiveOpened: (opened) => this.#receiveOpened(opened),
      receive: (message) => this.#receive(message),
      channelLost: () => this.#presence.closed(),
      setCopyAside: (closed) => this.#setCopyAside(closed),
      changed: () => this.#refresh(),
    }
  }

  #openCopy(user: string): OfflineCopy | null {
    const { indexedDB } = this.#environment
    if (indexedDB === undefined) return null
    // Two visits never share a client id, and a clock besides.
    const writer = `${this.doc.clientID}-${this.#environment.now()}`
    const snapshot = () => ({
      content: Y.encodeStateAsUpdate(this.doc),
      unsaved: this.#outbox.unsavedUpdate(),
      made: this.#outbox.made,
    })
    const name = copyName(new URL(this.#url).host, this.name, user)
    return new OfflineCopy(indexedDB, name, writer, snapshot, this.#environment)
  }

  async #load(heirOf: string | undefined): Promise<void> {
    const { content, unsaved, epoch, seq } = (await this.#copy?.load()) ?? NOTHING_KEPT
    if (this.#destroyed) return
    const whole = applyStored(this.doc, content, this)
    if (unsaved.length > 0) this.#outbox.adopt(Y.mergeUpdates([...unsaved]))
    this.#epoch = epoch
    this.#seq = whole ? seq : null
    if (heirOf !== undefined) await this.#inherit(heirOf)
    if (this.#destroyed) return
    this.#loaded = true
    this.#channel.open()
    this.#refresh()
  }

  /** Take what another user of this device left unsaved; where that is of another life of the document, it stays there. */
  async #inherit(user: string): Promise<void> {
    const left = this.#openCopy(user)
    const { content, unsaved, epoch } = (await left?.load()) ?? NOTHING_KEPT
    const isOurs = unsaved.length > 0 && (this.#epoch === null || this.#epoch === epoch)
    if (isOurs && !this.#destroyed) {
      this.#epoch = epoch
      applyStored(this.doc, content, this)
      this.#copy?.putRemote(content)
      this.#receiveEdit(Y.mergeUpdates([...unsaved]))
      await this.#copy?.flush()
      if (this.keepsCopy) await left?.setAside(null)
    }
    left?.close()
  }

  readonly #docUpdated = (update: Uint8Array, origin: unknown): void => {
    if (origin !== this) this.#receiveEdit(update)
  }

  readonly #docDestroyed = (): void => {
    void this.destroy()
  }

  #receiveEdit(update: Uint8Array): void {
    const edit = this.#outbox.add(update)
    this.#copy?.putOwn(edit, update)
    if (!this.#flushDue) {
      this.#flushDue = true
      // What is made in one turn goes as one UPDATE. A microtask, since timers of hidden tabs are throttled.
      queueMicrotask(() => {
        this.#flushDue = false
        this.#flush()
      })
    }
    this.#refresh()
  }

  #flush(): void {
    const outgoing = this.#channel.takesEdits ? this.#outbox.take() : null
    if (outgoing !== null) this.#sendUpdate(outgoing)
  }

  #sendUpdate({ id, update }: Outgoing): void {
    this.#channel.send({ type: 'update', id, update })
  }

  #introduce(): Introduction | null {
    if (!this.#loaded) return null
    const stateVector = Y.encodeStateVector(this.doc)
    return { document: this.name, stateVector, token: this.#token, epoch: this.#epoch, seq: this.#seq }
  }

  #receiveOpened({ epoch, seq, stateVector, update }: Opened): boolean {
    if (!this.#apply([update])) return false
    this.#epoch = epoch
    this.#raiseSeq(seq)
    this.#outbox.restart()
    if (this.#channel.takesEdits) {
      const lacks = whatServerLacks(this.doc, stateVector, this.#outbox.unsavedUpdate())
      if (lacks !== null) this.#sendUpdate(this.#outbox.takeAll(lacks))
    }
    if (!this.#outbox.unsaved) this.#channel.settled()
    this.#presence.opened()
    this.#resolveSynced()
    return true
  }

  #receive(message: Exclude<ChannelMessage, Opened | Closed>): void {
    switch (message.type) {
      case 'updates':
        if (this.#apply(message.updates)) this.#raiseSeq(message.seq)
        break
      case 'presence':
        this.#receivePresence(message.awareness)
        break
      case 'saved':
        this.#receiveSaved(message.id)
        break
      case 'rejected':
        this.#outbox.rejected(message.id)
        break
    }
  }

  /** Apply what the server sent, and keep it on this device; false where it could not be applied. */
  #apply(updates: readonly Uint8Array[]): boolean {
    try {
      const applyAll = (): void => updates.forEach((update) => Y.applyUpdate(this.doc, update, this))
      Y.transact(this.doc, applyAll, this, false)
    } catch (error) {
      console.error(`collabdoc: an update of ${this.name} could not be applied`, error)
      // Half of it may be in the document. No watermark stands for that, so the next OPEN asks for a diff.
      this.#seq = null
      this.#channel.fail({ code: 4400, reason: 'A change from the server could not be applied.' })
      return false
    }
    this.#copy?.putRemote(updates)
    return true
  }

  #raiseSeq(seq: number): void {
    this.#seq = Math.max(seq, this.#seq ?? 0)
    if (this.#epoch !== null) this.#copy?.witness(this.#epoch, this.#seq)
  }

  #receivePresence(update: Uint8Array): void {
    try {
      this.#presence.receive(update)
    } catch (error) {
      console.warn('collabdoc: the presence of somebody could not be read', error)
    }
  }

  #receiveSaved(id: number): void {
    const edit = this.#outbox.saved(id)
    if (edit !== null) this.#copy?.saved(edit)
    if (!this.#outbox.unsaved) this.#channel.settled()
  }

  /** The document has another life than our copy: move the copy out of its way, and touch it no more. */
  #setCopyAside({ code }: Closed): boolean {
    const hasContent = this.doc.store.clients.size > 0
    this.#aside = hasContent ? Y.encodeStateAsUpdate(this.doc) : null
    this.#keepsAside = this.keepsCopy
    // The transaction begins in this turn, so a provider that opens the document afresh reads behind it.
    void this.#copy?.setAside(this.#aside)
    // Where nothing was kept of a deleted document, there is nothing to tell but that it is gone.
    if (code === 4404 && !hasContent) return false
    this.doc.off('update', this.#docUpdated)
    return true
  }

  #derive(): Status {
    const { line, lineTrouble, state, trouble, mode, holding } = this.#channel
    return deriveStatus({
      line,
      lineTrouble,
      channel: state,
      channelTrouble: trouble,
      network: this.#environment.isOnline(),
      mode,
      unsaved: this.#outbox.unsaved,
      holding,
    })
  }

  #refresh(): void {
    this.#status = this.#derive()
    this.#news.tell(this.#channel.closedBy)
  }
}
