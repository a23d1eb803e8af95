/**
 * One life of a document in the page: its Y.Doc, its provider and the canvas that shows it.
 *
 * A document that was replaced on the server needs a new life, so a session is closed and another opened; the page
 * around it stays.
 */
import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { kindOfDocument, readMeta } from '../../editor/meta'
import { bindTitle } from '../../editor/title'
import { CollabdocProvider } from '../../sync/provider'
import type { Status } from '../../sync/status'
import { hasUnsaved, mayEdit, type Here } from '../status'
import { Canvas, type CanvasEvents } from './canvas'
import { fileNameOf } from './file-name'
import { saveFile } from './menu'

const PROBE = 'collabdoc.probe'

export interface SessionEvents extends CanvasEvents {
  onStatus(status: Status): void
  onTitle(title: string): void
}

export class Session {
  readonly #doc = new Y.Doc()
  readonly #provider: CollabdocProvider
  readonly #canvas: Canvas
  #unbindTitle: (() => void) | null = null
  #copyIsHere = false
  #copyIsKept = false

  constructor(
    private readonly name: string,
    private readonly elements: { canvas: HTMLElement; title: HTMLInputElement },
    private readonly events: SessionEvents,
  ) {
    this.#provider = new CollabdocProvider(location.origin, name, this.#doc)
    this.#canvas = new Canvas(elements.canvas, name, this.#doc, this.awareness, events)
    elements.title.readOnly = true
    this.#provider.on('status', this.#onStatus)
    this.#provider.on('synced', this.#onSynced)
    void this.#provider.whenLoaded.then(() => {
      this.#canvas.loaded()
      if (kindOfDocument(this.#doc) !== null) this.#arrived()
    })
    void canKeepCopies().then((kept) => (this.#copyIsKept = kept))
    this.#onStatus(this.#provider.status)
  }

  get awareness(): Awareness {
    return this.#provider.awareness
  }

  get description(): { kind: ReturnType<typeof kindOfDocument>; title: string } {
    return { kind: kindOfDocument(this.#doc), title: readMeta(this.#doc).title }
  }

  /** What this device has of the document. */
  get here(): Here {
    if (!this.#copyIsHere) return 'nothing'
    return this.#copyIsKept ? 'kept' : 'fleeting'
  }

  /** Whether closing the tab now would lose something. */
  get wouldLoseEdits(): boolean {
    return hasUnsaved(this.#provider.status) && !this.#copyIsKept
  }

  retry(): void {
    this.#provider.retryNow()
  }

  /** Gives the person the copy that the server no longer wants, as a file. */
  async saveCopy(): Promise<void> {
    const copy = (await this.#provider.keptAside()) ?? Y.encodeStateAsUpdate(this.#doc)
    saveFile(copy, fileNameOf(this.name, readMeta(this.#doc).title, 'yjs'))
  }

  async close(): Promise<void> {
    this.#provider.off('status', this.#onStatus)
    this.#provider.off('synced', this.#onSynced)
    this.#unbindTitle?.()
    this.#canvas.close()
    await this.#provider.destroy()
    this.#doc.destroy()
  }

  readonly #onStatus = (status: Status): void => {
    const editable = mayEdit(status)
    this.#canvas.setEditable(editable)
    if (this.#unbindTitle !== null) this.elements.title.readOnly = !editable
    if (status.kind === 'refused') this.#canvas.abandon()
    this.events.onStatus(status)
  }

  readonly #onSynced = (): void => {
    this.#arrived()
    this.#canvas.synced()
  }

  /** The title is bound once the document is here; before that, an empty one would be a guess. */
  #arrived(): void {
    if (this.#copyIsHere) return
    this.#copyIsHere = true
    this.#unbindTitle = bindTitle(this.elements.title, this.#doc, (title) => this.events.onTitle(title))
    this.elements.title.readOnly = !mayEdit(this.#provider.status)
  }
}

/** Whether this browser lets pages keep data; private windows and blocked storage do not. */
async function canKeepCopies(): Promise<boolean> {
  try {
    return await new Promise<boolean>((resolve) => {
      const request = indexedDB.open(PROBE)
      request.onsuccess = () => {
        request.result.close()
        indexedDB.deleteDatabase(PROBE)
        resolve(true)
      }
      request.onerror = () => resolve(false)
      request.onblocked = () => resolve(false)
    })
  } catch {
    return false
  }
}
