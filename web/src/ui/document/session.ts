/**
 * One life of a document in the page: its Y.Doc, its provider and the canvas that shows it.
 *
 * A document that was replaced on the server needs a new life, so a session is closed and another opened; the page
 * around it stays.
 */
import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { kindOfDocument, readMeta } from '../../editor/meta'
import { readableCopy } from '../../editor/readable'
import { bindTitle } from '../../editor/title'
import { CollabdocProvider } from '../../sync/provider'
import { mayEdit, type Status } from '../../sync/status'
import { copyText } from '../clipboard'
import type { Here } from '../status'
import { Canvas, type CanvasEvents } from './canvas'
import { fileNameOf } from './file-name'
import { saveFile } from './menu'

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

  constructor(
    private readonly name: string,
    /** Whose copy of the document this device shows, and whose unsaved edits become theirs. */
    owner: { user: string; heirOf?: string },
    private readonly elements: { canvas: HTMLElement; title: HTMLInputElement },
    private readonly events: SessionEvents,
  ) {
    this.#provider = new CollabdocProvider(location.origin, name, this.#doc, owner)
    this.#canvas = new Canvas(elements.canvas, name, this.#doc, this.awareness, events)
    elements.title.readOnly = true
    this.#provider.on('change', this.#onStatus)
    this.#provider.on('sync', this.#onSync)
    void this.#provider.whenLoaded.then(() => {
      this.#canvas.loaded()
      if (kindOfDocument(this.#doc) !== null) this.#arrived()
    })
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
    return this.#provider.keepsCopy ? 'kept' : 'fleeting'
  }

  get unsaved(): boolean {
    return this.#provider.unsaved
  }

  /** Whether closing the tab now would lose something. */
  get wouldLoseEdits(): boolean {
    return this.#provider.unsaved && !this.#provider.keepsCopy
  }

  retry(): void {
    this.#provider.retryNow()
  }

  /** After a refusal: ask once more. */
  again(): void {
    this.#provider.connect()
  }

  /** Resolves once what was typed is kept on this device, so that the page may be left. */
  flush(): Promise<void> {
    return this.#provider.flush()
  }

  /** Gives the person what they see as a file that they can read; the server is not asked. */
  saveCopy(): void {
    const { text, extension } = readableCopy(this.#doc)
    saveFile(new TextEncoder().encode(text), fileNameOf(this.name, readMeta(this.#doc).title, extension))
  }

  /** Puts what they see on the clipboard; false where the browser does not allow it. */
  copyText(): Promise<boolean> {
    return copyText(readableCopy(this.#doc).text)
  }

  /** Gives up what was not saved; the session has ended then. */
  async discard(): Promise<void> {
    this.#detach()
    await this.#provider.discard()
    this.#doc.destroy()
  }

  async close(): Promise<void> {
    this.#detach()
    await this.#provider.destroy()
    this.#doc.destroy()
  }

  #detach(): void {
    this.#provider.off('change', this.#onStatus)
    this.#provider.off('sync', this.#onSync)
    this.#unbindTitle?.()
    this.#canvas.close()
  }

  readonly #onStatus = (status: Status): void => {
    const editable = mayEdit(status)
    this.#canvas.setEditable(editable)
    if (this.#unbindTitle !== null) this.elements.title.readOnly = !editable
    if (status.kind === 'refused') this.#canvas.abandon()
    this.events.onStatus(status)
  }

  readonly #onSync = (synced: boolean): void => {
    if (!synced) return
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
