/**
 * The copy of one document that this device keeps, in IndexedDB, keyed by server, document and user.
 *
 * 1. An edit is written in the turn in which it is made, so closing the tab loses nothing.
 * 2. The stored `seq` is never ahead of the stored content: it is written after everything before it was committed.
 * 3. Own edits that are not SAVED are kept a second time, each under its writer, until they are. So a tab that was
 *    closed offline leaves behind exactly what the next one has to send, deletes included.
 * 4. Tabs share a copy without knowing of each other: rows are only added, and merged inside one transaction.
 * 5. A copy that is set aside begins a new generation, and a tab that still writes for the old one is turned away.
 *
 * y-indexeddb keeps neither 2 (an update and its `seq` cannot share a fate, and a failed write goes unnoticed) nor 3.
 */

import * as Y from 'yjs'

import type { Environment } from './environment.js'
import { done, openDatabase, whenRead } from './idb.js'

/** Merging costs as much as loading the document, so it is rare while somebody types ... */
export const COMPACT_AT_ROWS = 1_000
/** ... and sooner when the document is opened, which waits anyway. */
export const COMPACT_AT_LOAD_ROWS = 200
/** Copies set aside that are kept; the oldest goes first. */
export const MAX_ASIDE = 5
/** A database that is not open by then is done without: some browsers hang rather than fail. */
export const OPEN_TIMEOUT_MS = 5_000
/** A full disk is asked again at most this often. */
const REPAIR_PAUSE_MS = 10_000

const CONTENT = 'content'
const UNSAVED = 'unsaved'
const META = 'meta'
const ASIDE = 'aside'

/** What the device held when the document was opened. */
export interface LocalCopy {
  readonly content: readonly Uint8Array[]
  readonly unsaved: readonly Uint8Array[]
  readonly epoch: string | null
  readonly seq: number | null
}

export const NOTHING_KEPT: LocalCopy = { content: [], unsaved: [], epoch: null, seq: null }

/** What it takes to write the copy anew after a write has failed. */
export interface Snapshot {
  readonly content: Uint8Array
  readonly unsaved: Uint8Array | null
  /** The number of the last own edit in it. */
  readonly made: number
}

interface Meta {
  readonly generation: number
  readonly epoch: string | null
  readonly seq: number | null
}

const NEW: Meta = { generation: 0, epoch: null, seq: null }

/** The database's name: one document of one server as one user sees it. */
export function copyName(server: string, document: string, user: string): string {
  return `collabdoc:${[server, user, document].map(encodeURIComponent).join(':')}`
}

/** Apply stored updates to `doc`; false where one of them is damaged. */
export function applyStored(doc: Y.Doc, updates: readonly Uint8Array[], origin: unknown): boolean {
  let whole = true
  const applyAll = (): void => {
    for (const update of updates) {
      try {
        Y.applyUpdate(doc, update, origin)
      } catch (error) {
        console.error('collabdoc: a part of the copy on this device is damaged', error)
        whole = false
      }
    }
  }
  Y.transact(doc, applyAll, origin, false)
  return whole
}

export class OfflineCopy {
  #database: IDBDatabase | null = null
  /** Writes that came before the database was open; null from then on. */
  #early: (() => void)[] | null = []
  #generation = NEW.generation
  #rows = 0
  #adopted: IDBValidKey[] = []
  /** Resolves when every write so far is committed or has failed. */
  #settled: Promise<void> = Promise.resolve()
  /** When a write last failed: from then on nothing vouches for the content, until all of it is written again. */
  #failedAt: number | null = null
  #wanted: { readonly epoch: string; readonly seq: number; readonly after: Promise<void> } | null = null

  constructor(
    private readonly factory: IDBFactory,
    private readonly name: string,
    /** Tells the rows of this tab from those of others. */
    private readonly writer: string,
    private readonly snapshot: () => Snapshot,
    private readonly environment: Pick<Environment, 'now' | 'setTimeout' | 'clearTimeout'>,
  ) {}

  /** False where what is given is not kept: storage is blocked or full, or the copy was set aside by another tab. */
  get keeps(): boolean {
    return this.#failedAt === null && (this.#early !== null || this.#database !== null)
  }

  /** Read the copy; a device that cannot keep one has none. */
  async load(): Promise<LocalCopy> {
    try {
      const database = await this.#open()
      const copy = await this.#read(database)
      database.onversionchange = database.onclose = () => this.close()
      this.#database = database
      const early = this.#early ?? []
      this.#early = null
      for (const write of early) write()
      if (this.#rows >= COMPACT_AT_LOAD_ROWS) this.#compact()
      return copy
    } catch (error) {
      console.warn('collabdoc: this device keeps no copy of the document', error)
      this.close()
      return NOTHING_KEPT
    }
  }

  /** Keep the own edit with the number `edit`; it counts as unsaved until `saved`. */
  putOwn(edit: number, update: Uint8Array): void {
    this.#write((transaction) => {
      this.#addContent(transaction, [update])
      transaction.objectStore(UNSAVED).put(update.slice(), [this.writer, edit])
    })
  }

  /** Keep what the server sent. */
  putRemote(updates: readonly Uint8Array[]): void {
    // Two zeros are an update without structs and deletes.
    const told = updates.filter((update) => update.byteLength > 2)
    if (told.length > 0) this.#write((transaction) => this.#addContent(transaction, told))
  }

  /** Note the server's watermark, once all that was put before is committed. */
  witness(epoch: string, seq: number): void {
    const idle = this.#wanted === null
    this.#wanted = { epoch, seq, after: this.#settled }
    if (idle) void this.#writeWatermark()
  }

  /** Own edits up to number `edit` are SAVED, and with them what earlier visits left. */
  saved(edit: number): void {
    const adopted = this.#adopted
    this.#adopted = []
    this.#write((transaction) => {
      const unsaved = transaction.objectStore(UNSAVED)
      for (const key of adopted) unsaved.delete(key)
      unsaved.delete(this.#ownUpTo(edit))
    })
  }

  /** Move the copy out of the way of the document's new life; `content` is what is kept of it. */
  async setAside(content: Uint8Array | null): Promise<void> {
    this.#failedAt = null // what could not be written is not missed any more
    this.#write((transaction) => {
      transaction.objectStore(CONTENT).clear()
      transaction.objectStore(UNSAVED).clear()
      const next: Meta = { generation: this.#generation + 1, epoch: null, seq: null }
      transaction.objectStore(META).put(next, META)
      const aside = transaction.objectStore(ASIDE)
      if (content !== null) aside.put(content.slice())
      whenRead(aside.getAllKeys(), (keys) => {
        for (const key of keys.slice(0, -MAX_ASIDE)) aside.delete(key)
      })
    })
    await this.#settled
    this.close()
  }

  /** The copy that was set aside last. */
  async keptAside(): Promise<Uint8Array | null> {
    const database = await this.#open()
    const transaction = database.transaction(ASIDE)
    let kept: Uint8Array | null = null
    whenRead(transaction.objectStore(ASIDE).openCursor(null, 'prev'), (cursor) => {
      kept = (cursor?.value as Uint8Array | undefined) ?? null
    })
    await done(transaction)
    database.close()
    return kept
  }

  /** Resolves once every write so far is committed, or has failed. */
  async flush(): Promise<void> {
    await this.#settled
  }

  /** Write no more; what was begun is still committed. */
  close(): void {
    this.#database?.close()
    this.#database = null
    this.#early = null
  }

  #open(): Promise<IDBDatabase> {
    const opened = openDatabase(this.factory, this.name, 1, (fresh) => {
      fresh.createObjectStore(CONTENT, { autoIncrement: true })
      fresh.createObjectStore(UNSAVED)
      fresh.createObjectStore(META)
      fresh.createObjectStore(ASIDE, { autoIncrement: true })
    })
    return new Promise((resolve, reject) => {
      const timer = this.environment.setTimeout(() => {
        reject(new Error(`IndexedDB did not open within ${OPEN_TIMEOUT_MS} ms`))
        void opened.then((late) => late.close())
      }, OPEN_TIMEOUT_MS)
      opened.then(resolve, reject).finally(() => this.environment.clearTimeout(timer))
    })
  }

  async #read(database: IDBDatabase): Promise<LocalCopy> {
    const transaction = database.transaction([CONTENT, UNSAVED, META])
    let meta = NEW
    let content: Uint8Array[] = []
    let unsaved: Uint8Array[] = []
    whenRead(transaction.objectStore(META).get(META), (found: Meta | undefined) => (meta = found ?? NEW))
    whenRead(transaction.objectStore(CONTENT).getAll(), (found: Uint8Array[]) => (content = found))
    whenRead(transaction.objectStore(UNSAVED).getAll(), (found: Uint8Array[]) => (unsaved = found))
    whenRead(transaction.objectStore(UNSAVED).getAllKeys(), (found) => (this.#adopted = found))
    await done(transaction)
    this.#generation = meta.generation
    this.#rows = content.length
    return { content, unsaved, epoch: meta.epoch, seq: meta.seq }
  }

  /** Run `body` in a transaction of this turn; one that belongs to another generation is aborted whole. */
  #write(body: (transaction: IDBTransaction) => void): void {
    if (this.#early !== null) {
      this.#early.push(() => this.#write(body))
      return
    }
    if (this.#database === null) return
    const repairs = this.#failedAt !== null && this.environment.now() - this.#failedAt >= REPAIR_PAUSE_MS
    const committed = this.#transact(this.#database, (transaction) => {
      this.#checkGeneration(transaction)
      body(transaction)
      // After the body, whose own row the snapshot holds as well.
      if (repairs) this.#putSnapshot(transaction)
    }).then(
      () => {
        if (repairs) this.#failedAt = null
      },
      (error: unknown) => this.#failed(error),
    )
    const before = this.#settled
    this.#settled = committed.then(() => before)
  }

  /** The transaction begins, and `body` runs, before this returns. */
  async #transact(database: IDBDatabase, body: (transaction: IDBTransaction) => void): Promise<void> {
    const transaction = database.transaction([CONTENT, UNSAVED, META, ASIDE], 'readwrite')
    const committed = done(transaction)
    try {
      body(transaction)
    } catch (error) {
      transaction.abort()
      await committed.catch(() => {})
      throw error
    }
    await committed
  }

  #checkGeneration(transaction: IDBTransaction): void {
    whenRead(transaction.objectStore(META).get(META), (meta: Meta | undefined) => {
      if ((meta ?? NEW).generation !== this.#generation) this.#turnAway(transaction)
    })
  }

  /** The stored copy is of another life of the document than ours, which another tab set aside. */
  #turnAway(transaction: IDBTransaction): void {
    transaction.abort()
    this.close()
  }

  #failed(error: unknown): void {
    if (this.#database === null) return // turned away, or closed under us
    console.warn('collabdoc: an edit could not be kept on this device', error)
    this.#failedAt = this.environment.now()
  }

  #putSnapshot(transaction: IDBTransaction): void {
    const { content, unsaved, made } = this.snapshot()
    this.#addContent(transaction, [content])
    if (unsaved !== null) transaction.objectStore(UNSAVED).put(unsaved.slice(), [this.writer, made])
  }

  #addContent(transaction: IDBTransaction, updates: readonly Uint8Array[]): void {
    // A view is stored together with the whole buffer behind it: the frame that it came in.
    for (const update of updates) transaction.objectStore(CONTENT).put(update.slice())
    const due = this.#rows < COMPACT_AT_ROWS && this.#rows + updates.length >= COMPACT_AT_ROWS
    this.#rows += updates.length
    if (due) void this.#settled.then(() => this.#compact())
  }

  /** Merge the rows of all tabs, and the unsaved ones of this tab, in one transaction. */
  #compact(): void {
    this.#write((transaction) => {
      const content = transaction.objectStore(CONTENT)
      whenRead(content.getAll(), (rows: Uint8Array[]) => {
        content.clear()
        content.put(mergeContent(rows))
        this.#rows = 1
      })
      const unsaved = transaction.objectStore(UNSAVED)
      const own = this.#ownUpTo(Number.MAX_SAFE_INTEGER)
      whenRead(unsaved.getAllKeys(own), (keys) => {
        const last = keys.at(-1)
        if (last === undefined) return
        whenRead(unsaved.getAll(own), (rows: Uint8Array[]) => {
          unsaved.delete(own)
          unsaved.put(Y.mergeUpdates(rows), last)
        })
      })
    })
  }

  async #writeWatermark(): Promise<void> {
    for (let wanted = this.#wanted; wanted !== null; wanted = this.#wanted) {
      await wanted.after
      // A newer one may have come meanwhile; then what was put before that one is awaited as well.
      if (wanted !== this.#wanted) continue
      this.#wanted = null
      if (this.#failedAt === null) this.#putWatermark(wanted.epoch, wanted.seq)
    }
  }

  #putWatermark(epoch: string, seq: number): void {
    this.#write((transaction) => {
      const store = transaction.objectStore(META)
      whenRead(store.get(META), (found: Meta | undefined) => {
        const meta = found ?? NEW
        if (meta.epoch !== null && meta.epoch !== epoch) this.#turnAway(transaction)
        // Another tab may have come further, and what it saw is in the copy too.
        else store.put({ ...meta, epoch, seq: Math.max(seq, meta.seq ?? 0) } satisfies Meta, META)
      })
    })
  }

  #ownUpTo(edit: number): IDBKeyRange {
    return IDBKeyRange.bound([this.writer, 0], [this.writer, edit])
  }
}

/** One row with everything in it, deleted text dropped; merging updates as bytes would keep it for ever. */
function mergeContent(rows: readonly Uint8Array[]): Uint8Array {
  const doc = new Y.Doc()
  applyStored(doc, rows, null)
  const merged = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return merged
}
