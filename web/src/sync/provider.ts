/**
 * Keeps one Y.Doc in step with a collabdoc server, and with this device's copy of it.
 *
 * 1. What the server sent is applied with the provider as its origin, and is never sent back.
 * 2. The status is `saved` only where every edit made here, in this visit or in one before, has been SAVED.
 * 3. Nothing ends the provider but `destroy`, a code that says so, or the document's new life: lost lines, a killed
 *    server, damaged updates and a failing store all lead back to an open document without a reload.
 */

import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'

import { closeCode } from '../protocol/errors'
import type { ChannelMessage, Closed, Mode, Opened, Rejected, Updates } from '../protocol/messages'
import { Backoff } from './backoff'
import { ENVIRONMENT, type Environment, type Timer } from './environment'
import { whatServerLacks } from './lacks'
import { CHANNEL, type ChannelEvent, type ChannelState, move } from './machine'
import { applyStored, copyName, NOTHING_KEPT, OfflineCopy } from './offline'
import { Outbox, type Outgoing } from './outbox'
import { Presence } from './presence'
import { attachLine, type Line } from './socket'
import { deriveStatus, NO_TROUBLE, type Status, type Trouble } from './status'

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
  /** Stands in for parts of the browser, in tests and where there is no global WebSocket. */
  environment?: Partial<Environment>
}

interface Events {
  status: (status: Status) => void
  synced: () => void
}

export class CollabdocProvider {
  readonly awareness: Awareness
  /** The local copy is read; resolves also where there is none. */
  readonly whenLoaded: Promise<void>
  /** The first OPENED is applied. */
  readonly whenSynced: Promise<void>

  #channelState: ChannelState = 'away'
  #channelTrouble: Trouble = NO_TROUBLE
  #channel = 0
  #mode: Mode = 'write'
  #line: Line | null = null
  #loaded = false
  #holding = false
  #destroyed = false
  #flushing = false
  #epoch: string | null = null
  /** The watermark; null where the content that it stands for is in doubt. */
  #seq: number | null = null
  #aside: Uint8Array | null = null
  #status: Status
  #timer: Timer | undefined
  #token: string | null
  #resolveSynced: () => void = () => {}
  readonly #environment: Environment
  readonly #url: string
  readonly #outbox = new Outbox()
  readonly #backoff: Backoff
  readonly #copy: OfflineCopy | null
  readonly #presence: Presence
  readonly #ownsAwareness: boolean
  readonly #listeners: { readonly [Name in keyof Events]: Set<Events[Name]> } = { status: new Set(), synced: new Set() }

  constructor(
    url: string,
    readonly name: string,
    readonly doc: Y.Doc,
    options: ProviderOptions = {},
  ) {
    const environment = environmentOf(options.environment)
    this.#environment = environment
    this.#url = socketUrl(url)
    this.#token = options.token ?? null
    this.#backoff = new Backoff(() => environment.random())
    this.#ownsAwareness = options.awareness === undefined
    this.awareness = options.awareness ?? new Awareness(doc)
    this.#presence = new Presence(this.awareness, environment, (awareness) =>
      this.#line?.send({ type: 'awareness', channel: this.#channel, awareness }),
    )
    this.#copy = this.#openCopy(options)
    this.#status = this.#derive()
    this.whenSynced = new Promise((resolve) => (this.#resolveSynced = resolve))
    // What the document held before the provider came is an edit like any other.
    if (doc.store.clients.size > 0) this.#made(Y.encodeStateAsUpdate(doc))
    doc.on('update', this.#docUpdated)
    doc.on('destroy', this.#docDestroyed)
    this.whenLoaded = this.#load()
    if (options.connect !== false) this.connect()
  }

  get status(): Status {
    return this.#status
  }

  /** True while the channel is open: the document is as the server has it, but for edits under way. */
  get synced(): boolean {
    return this.#channelState === 'open'
  }

  /** False where the server granted reading only. */
  get writable(): boolean {
    return this.#mode === 'write'
  }

  on<Name extends keyof Events>(name: Name, listener: Events[Name]): void {
    this.#listeners[name].add(listener)
  }

  off<Name extends keyof Events>(name: Name, listener: Events[Name]): void {
    this.#listeners[name].delete(listener)
  }

  /** Connect, and stay connected; after `refused`, try once more. */
  connect(): void {
    if (this.#destroyed || this.#channelState === 'replaced') return
    this.#move('restart')
    if (this.#line === null) this.#line = attachLine(this.#url, this.#environment, this)
    else this.#line.attach(this)
    this.lineChanged()
  }

  /** Leave the document; edits are kept on this device. */
  disconnect(): void {
    this.#leave()
    this.#refresh()
  }

  /** Try now what is waiting for its time. */
  retryNow(): void {
    this.#line?.retryNow()
    if (this.#channelState === 'waiting' || this.#holding) this.#reopen()
  }

  /** Replace the token before it expires. */
  setToken(token: string): void {
    this.#token = token
    if (this.#channelState === 'open') this.#line?.send({ type: 'auth', channel: this.#channel, token })
  }

  /** Resolves once every edit so far is kept on this device. */
  async flush(): Promise<void> {
    await this.#copy?.flush()
  }

  /** The copy that was set aside when the document was replaced, as a Yjs update; null where there is none. */
  async keptAside(): Promise<Uint8Array | null> {
    return this.#aside ?? (await this.#copy?.keptAside()) ?? null
  }

  /** Stop; resolves when every edit is kept on this device. The document itself stays. */
  async destroy(): Promise<void> {
    if (this.#destroyed) return
    this.#destroyed = true
    this.doc.off('update', this.#docUpdated)
    this.doc.off('destroy', this.#docDestroyed)
    this.#flush()
    this.#leave()
    this.#presence.destroy()
    if (this.#ownsAwareness) this.awareness.destroy()
    for (const listeners of Object.values(this.#listeners)) listeners.clear()
    await this.whenLoaded
    await this.#copy?.flush()
    this.#copy?.close()
  }

  /** The line went up or down; called by the line. */
  lineChanged(): void {
    if (this.#line?.state !== 'up') this.#channelGone('leave')
    else if (this.#channelState === 'away') this.#open()
    this.#refresh()
  }

  /** A message for this document's channel; called by the line. */
  receive(message: ChannelMessage): void {
    switch (message.type) {
      case 'opened':
        this.#receiveOpened(message)
        break
      case 'updates':
        this.#receiveUpdates(message)
        break
      case 'presence':
        this.#receivePresence(message.awareness)
        break
      case 'saved':
        this.#receiveSaved(message.id)
        break
      case 'rejected':
        this.#receiveRejected(message)
        break
      case 'closed':
        this.#receiveClosed(message)
        break
    }
    this.#refresh()
  }

  #openCopy(options: ProviderOptions): OfflineCopy | null {
    const { indexedDB } = this.#environment
    if (indexedDB === undefined || options.offline === false) return null
    const writer = `${this.#environment.now().toString(36)}-${this.#environment.random().toString(36).slice(2)}`
    const snapshot = () => ({
      content: Y.encodeStateAsUpdate(this.doc),
      unsaved: this.#outbox.unsavedUpdate(),
      made: this.#outbox.made,
    })
    const name = copyName(new URL(this.#url).host, this.name, options.user ?? '')
    return new OfflineCopy(indexedDB, name, writer, snapshot, this.#environment)
  }

  async #load(): Promise<void> {
    const { content, unsaved, epoch, seq } = (await this.#copy?.load()) ?? NOTHING_KEPT
    if (this.#destroyed) return
    const whole = applyStored(this.doc, content, this)
    if (unsaved.length > 0) this.#outbox.adopt(Y.mergeUpdates([...unsaved]))
    this.#epoch = epoch
    this.#seq = whole ? seq : null
    this.#loaded = true
    if (this.#line?.state === 'up') this.#open()
    this.#refresh()
  }

  readonly #docUpdated = (update: Uint8Array, origin: unknown): void => {
    if (origin !== this) this.#made(update)
  }

  readonly #docDestroyed = (): void => {
    void this.destroy()
  }

  #made(update: Uint8Array): void {
    this.#copy?.putOwn(this.#outbox.add(update), update)
    if (!this.#flushing) {
      this.#flushing = true
      // Everything that is made in this turn goes as one UPDATE. A microtask, since hidden tabs throttle timers.
      queueMicrotask(() => {
        this.#flushing = false
        this.#flush()
      })
    }
    this.#refresh()
  }

  #flush(): void {
    if (this.#channelState !== 'open' || this.#mode === 'read' || this.#holding) return
    const outgoing = this.#outbox.take()
    if (outgoing !== null) this.#sendUpdate(outgoing)
  }

  #sendUpdate({ id, update }: Outgoing): void {
    this.#line?.send({ type: 'update', channel: this.#channel, id, update })
  }

  #open(): void {
    if (!this.#loaded || this.#line?.state !== 'up' || !this.#move('open')) return
    this.#channel = this.#line.claimChannel(this)
    this.#line.send({
      type: 'open',
      channel: this.#channel,
      document: this.name,
      stateVector: Y.encodeStateVector(this.doc),
      token: this.#token,
      epoch: this.#epoch,
      seq: this.#seq,
    })
  }

  #reopen(): void {
    this.#environment.clearTimeout(this.#timer)
    if (this.#channelState === 'open') this.#line?.send({ type: 'close', channel: this.#channel })
    if (this.#channelState !== 'waiting') this.#channelGone('back-off')
    this.#open()
    this.#refresh()
  }

  #receiveOpened(message: Opened): void {
    if (this.#channelState !== 'opening' || !this.#apply([message.update])) return
    this.#epoch = message.epoch
    this.#mode = message.mode
    this.#raiseSeq(message.seq)
    this.#holding = false
    this.#channelTrouble = NO_TROUBLE
    this.#outbox.restart()
    this.#move('opened')
    this.#line?.synced()
    this.#sendWhatServerLacks(message.stateVector)
    if (!this.#outbox.unsaved) this.#backoff.reset()
    this.#presence.opened()
    this.#resolveSynced()
    for (const listener of this.#listeners.synced) listener()
  }

  #sendWhatServerLacks(stateVector: Uint8Array): void {
    if (this.#mode === 'read') return
    const lacks = whatServerLacks(this.doc, stateVector, this.#outbox.unsavedUpdate())
    if (lacks !== null) this.#sendUpdate(this.#outbox.takeAll(lacks))
  }

  #receiveUpdates({ updates, seq }: Updates): void {
    if (this.#channelState === 'open' && this.#apply(updates)) this.#raiseSeq(seq)
  }

  /** Apply what the server sent, and keep it on this device; false where it could not be applied. */
  #apply(updates: readonly Uint8Array[]): boolean {
    try {
      const applyAll = () => updates.forEach((update) => Y.applyUpdate(this.doc, update, this))
      Y.transact(this.doc, applyAll, this, false)
    } catch (error) {
      console.error(`collabdoc: an update of ${this.name} could not be applied`, error)
      // Half of it may be in the document: no watermark stands for that, so the server is asked for a diff.
      this.#seq = null
      this.#line?.send({ type: 'close', channel: this.#channel })
      this.#backOff({ code: 4400, reason: 'A change from the server could not be applied.' })
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
    if (!this.#outbox.unsaved) this.#backoff.reset()
  }

  #receiveRejected({ code, reason }: Rejected): void {
    if (code === 4403) {
      this.#mode = 'read'
    } else if (closeCode(code).action === 'retry') {
      if (this.#holding) return // for each UPDATE that was under way comes one of these
      this.#holding = true
      this.#waitToReopen({ code, reason })
    } else {
      this.#line?.send({ type: 'close', channel: this.#channel })
      this.#refuse({ code, reason })
    }
  }

  #receiveClosed({ code, reason }: Closed): void {
    const { action } = closeCode(code)
    const hasContent = this.doc.store.clients.size > 0
    if (action === 'retry') this.#backOff({ code, reason })
    else if (action === 'replaced' || (code === 4404 && hasContent)) this.#replace({ code, reason })
    else this.#refuse({ code, reason })
  }

  #backOff(why: { code: number; reason: string }): void {
    this.#channelGone('back-off')
    this.#waitToReopen(why)
  }

  #waitToReopen({ code, reason }: { code: number; reason: string }): void {
    this.#environment.clearTimeout(this.#timer)
    const delayMs = this.#backoff.takeDelayMs()
    this.#channelTrouble = trouble(code, reason, this.#environment.now() + delayMs)
    this.#timer = this.#environment.setTimeout(() => this.#reopen(), delayMs)
  }

  #refuse({ code, reason }: { code: number; reason: string }): void {
    this.#channelTrouble = trouble(code, reason, 0)
    this.#channelGone('refuse')
    // A deleted document may be made anew, but not by a copy that remembers its old life.
    if (code === 4404) void this.#copy?.setAside(null)
    this.#detach()
  }

  /** The document has another life than our copy: move the copy out of its way. */
  #replace({ code, reason }: { code: number; reason: string }): void {
    this.#channelTrouble = trouble(code, reason, 0)
    this.#channelGone('replace')
    this.doc.off('update', this.#docUpdated)
    this.#aside = this.doc.store.clients.size > 0 ? Y.encodeStateAsUpdate(this.doc) : null
    // The transaction begins in this turn, so a provider that opens the document afresh reads behind it.
    void this.#copy?.setAside(this.#aside)
    this.#detach()
  }

  #leave(): void {
    if (this.#channelState === 'open' || this.#channelState === 'opening') {
      this.#line?.send({ type: 'close', channel: this.#channel })
    }
    this.#channelGone('leave')
    this.#detach()
  }

  #detach(): void {
    const line = this.#line
    this.#line = null
    line?.detach(this)
  }

  /** The channel is no longer: forget its number, its timers and who was there. */
  #channelGone(event: ChannelEvent): void {
    this.#environment.clearTimeout(this.#timer)
    if (!this.#move(event)) return
    this.#line?.releaseChannel(this.#channel)
    this.#presence.closed()
  }

  /** False where the event is stale in this state. */
  #move(event: ChannelEvent): boolean {
    const state = move(CHANNEL, this.#channelState, event)
    if (state !== null) this.#channelState = state
    return state !== null
  }

  #derive(): Status {
    return deriveStatus({
      line: this.#line?.state ?? 'idle',
      lineTrouble: this.#line?.trouble ?? NO_TROUBLE,
      channel: this.#channelState,
      channelTrouble: this.#channelTrouble,
      network: this.#environment.isOnline(),
      mode: this.#mode,
      unsaved: this.#outbox.unsaved,
      holding: this.#holding,
    })
  }

  #refresh(): void {
    const status = this.#derive()
    if (JSON.stringify(status) === JSON.stringify(this.#status)) return
    this.#status = status
    for (const listener of this.#listeners.status) listener(status)
  }
}

function trouble(code: number, reason: string, retryAt: number): Trouble {
  return { code, reason: reason || closeCode(code).sentence, retryAt }
}

const environments = new WeakMap<Partial<Environment>, Environment>()

/** The same part of a world gives the same environment, so that its providers share their lines. */
function environmentOf(part: Partial<Environment> | undefined): Environment {
  if (part === undefined) return ENVIRONMENT
  let environment = environments.get(part)
  if (environment === undefined) {
    environment = Object.setPrototypeOf({ ...part }, ENVIRONMENT) as Environment
    environments.set(part, environment)
  }
  return environment
}

/** `https://host`, `ws://host` or a full `wss://host/ws`: the address of the server's socket. */
export function socketUrl(url: string): string {
  const address = new URL(url)
  address.protocol = address.protocol.replace('http', 'ws')
  if (!address.pathname.endsWith('/ws')) address.pathname = `${address.pathname.replace(/\/$/, '')}/ws`
  return address.href
}
