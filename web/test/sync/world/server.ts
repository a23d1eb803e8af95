/**
 * A tiny server in memory that keeps the promises of docs/protocol.md, and refuses what the real one refuses: gaps,
 * ids out of order, messages for channels that are not open.
 */

import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'

import type { ClientMessage, Mode, Open, ServerMessage, Update } from '../../../src/protocol/messages'

/** One client's socket as the server sees it. */
export interface Peer {
  send(message: ServerMessage): void
}

interface Session {
  readonly peer: Peer
  readonly channel: number
  readonly document: Document
  lastId: number
  /** An UPDATE was rejected: what was under way behind it may build on it. */
  rejected: boolean
  clients: Set<number>
}

interface Entry {
  readonly update: Uint8Array
  readonly session: Session
  readonly id: number
}

class Document {
  doc = new Y.Doc()
  readonly log: Entry[] = []
  committed = 0
  readonly sessions = new Set<Session>()
  readonly awareness = new Awareness(new Y.Doc())

  constructor(readonly epoch: string) {
    this.awareness.setLocalState(null)
  }

  /** Load anew from what is committed, as after a crash. */
  reload(): void {
    this.log.length = this.committed
    this.doc = new Y.Doc()
    for (const { update } of this.log) Y.applyUpdate(this.doc, update)
  }
}

export class Server {
  /** Every client message in the order in which it came. */
  readonly received: ClientMessage[] = []
  readonly documents = new Map<string, Document>()
  readonly peers = new Set<Peer>()
  /** Commit, and say SAVED, at once. */
  commitsAtOnce = true
  /** Answer each UPDATE with this refusal. */
  rejects: { code: number; reason: string } | null = null
  mode: Mode = 'write'
  answersPings = true
  #lives = 0
  readonly #sessions = new Map<Peer, Map<number, Session>>()

  text(name: string): string {
    return this.documents.get(name)?.doc.getText('content').toString() ?? ''
  }

  receive(peer: Peer, message: ClientMessage): void {
    this.received.push(message)
    if (message.type === 'ping') {
      if (this.answersPings) peer.send({ type: 'pong', nonce: message.nonce })
      return
    }
    const sessions = this.#sessionsOf(peer)
    const session = sessions.get(message.channel)
    if (message.type === 'open') {
      if (session !== undefined) throw new Error(`channel ${message.channel} is open already`)
      this.#open(peer, message)
    } else if (message.type === 'close') {
      if (session !== undefined) this.#leave(session)
    } else if (session !== undefined) {
      if (message.type === 'update') this.#update(session, message)
      else if (message.type === 'awareness') this.#presence(session, message.awareness)
    }
  }

  disconnected(peer: Peer): void {
    for (const session of this.#sessionsOf(peer).values()) this.#leave(session)
    this.#sessions.delete(peer)
    this.peers.delete(peer)
  }

  /** Commit what is in the log, and tell everybody. */
  commit(): void {
    for (const document of this.documents.values()) this.#commit(document)
  }

  /** Start again from what is committed. */
  restart(): void {
    for (const document of this.documents.values()) document.reload()
  }

  /** Close every channel of a document with a code. */
  closeChannels(name: string, code: number, reason = ''): void {
    for (const session of [...(this.documents.get(name)?.sessions ?? [])]) this.#close(session, code, reason)
  }

  delete(name: string): void {
    const document = this.documents.get(name)
    this.documents.delete(name)
    for (const session of [...(document?.sessions ?? [])]) this.#close(session, 4404, 'deleted')
  }

  /** Send a message to everybody in a document, as it is. */
  tell(name: string, message: (channel: number) => ServerMessage): void {
    for (const { peer, channel } of this.documents.get(name)?.sessions ?? []) peer.send(message(channel))
  }

  destroy(): void {
    for (const { awareness } of this.documents.values()) awareness.destroy()
  }

  #open(peer: Peer, { channel, document: name, stateVector, epoch, seq }: Open): void {
    let document = this.documents.get(name)
    if (document === undefined && epoch === null) {
      document = new Document(`life-${++this.#lives}`)
      this.documents.set(name, document)
    }
    if (document === undefined) return peer.send({ type: 'closed', channel, code: 4404, reason: 'no such document' })
    if (epoch !== null && epoch !== document.epoch) {
      return peer.send({ type: 'closed', channel, code: 4409, reason: 'another life' })
    }
    const session: Session = { peer, channel, document, lastId: 0, rejected: false, clients: new Set() }
    document.sessions.add(session)
    this.#sessionsOf(peer).set(channel, session)
    const resumed = epoch !== null && seq !== null
    const tail = document.log.slice(seq ?? 0).map((entry) => entry.update)
    peer.send({
      type: 'opened',
      channel,
      epoch: document.epoch,
      mode: this.mode,
      seq: document.committed,
      resumed,
      server: 'fake',
      stateVector: Y.encodeStateVector(document.doc),
      update: resumed
        ? Y.mergeUpdates([new Uint8Array([0, 0]), ...tail])
        : Y.encodeStateAsUpdate(document.doc, stateVector),
    })
    const present = [...document.awareness.getStates().keys()]
    if (present.length > 0) {
      peer.send({ type: 'presence', channel, awareness: encodeAwarenessUpdate(document.awareness, present) })
    }
  }

  #update(session: Session, { id, update }: Update): void {
    const { peer, channel, document } = session
    if (id !== session.lastId + 1) throw new Error(`id ${id} follows ${session.lastId}`)
    session.lastId = id
    const reason = this.mode === 'read' ? { code: 4403, reason: 'read only' } : this.rejects
    if (reason !== null) {
      session.rejected = true
      return peer.send({ type: 'rejected', channel, id, ...reason })
    }
    if (hasGap(document, update)) {
      if (session.rejected) return this.#close(session, 1013, 'open again')
      throw new Error('an update builds on edits that the server has not seen')
    }
    Y.applyUpdate(document.doc, update)
    document.log.push({ update, session, id })
    for (const other of document.sessions) {
      if (other !== session) {
        other.peer.send({ type: 'updates', channel: other.channel, seq: document.committed, updates: [update] })
      }
    }
    if (this.commitsAtOnce) this.#commit(document)
  }

  #commit(document: Document): void {
    const saved = document.log.slice(document.committed)
    document.committed = document.log.length
    for (const { session, id } of saved) {
      if (document.sessions.has(session)) session.peer.send({ type: 'saved', channel: session.channel, id })
    }
    if (saved.length === 0) return
    for (const { peer, channel } of document.sessions) {
      peer.send({ type: 'updates', channel, seq: document.committed, updates: [] })
    }
  }

  #presence(session: Session, awareness: Uint8Array): void {
    const { document } = session
    const seen = ({ added, updated }: { added: number[]; updated: number[] }): void => {
      for (const client of [...added, ...updated]) session.clients.add(client)
    }
    document.awareness.on('update', seen)
    applyAwarenessUpdate(document.awareness, awareness, session)
    document.awareness.off('update', seen)
    this.#relay(session, awareness)
  }

  #relay(session: Session, awareness: Uint8Array): void {
    for (const other of session.document.sessions) {
      if (other !== session) other.peer.send({ type: 'presence', channel: other.channel, awareness })
    }
  }

  #close(session: Session, code: number, reason: string): void {
    session.peer.send({ type: 'closed', channel: session.channel, code, reason })
    this.#leave(session)
  }

  #leave(session: Session): void {
    const { document, peer, channel, clients } = session
    document.sessions.delete(session)
    this.#sessionsOf(peer).delete(channel)
    const gone = [...clients]
    if (gone.length === 0) return
    // As the real server does: the removal is one clock further than what everybody knows.
    removeAwarenessStates(document.awareness, gone, session)
    for (const client of gone) {
      const meta = document.awareness.meta.get(client)
      if (meta !== undefined) meta.clock += 1
    }
    this.#relay(session, encodeAwarenessUpdate(document.awareness, gone))
  }

  #sessionsOf(peer: Peer): Map<number, Session> {
    let sessions = this.#sessions.get(peer)
    if (sessions === undefined) this.#sessions.set(peer, (sessions = new Map()))
    return sessions
  }
}

function hasGap(document: Document, update: Uint8Array): boolean {
  const trial = new Y.Doc()
  Y.applyUpdate(trial, Y.encodeStateAsUpdate(document.doc))
  Y.applyUpdate(trial, update)
  return trial.store.pendingStructs !== null || trial.store.pendingDs !== null
}
