/**
 * The place where a document is read and written: a skeleton first, then a choice or a surface.
 *
 * 1. Nothing is editable before the document was loaded from this device or from the server.
 * 2. Whoever creates the document writes its kind; a document that merely arrives is shown as it is.
 * 3. What this editor does not know is shown from a mirror and stays untouched.
 */
import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import { kindOfName, type DocumentKind } from '../../editor/kinds'
import { createMeta, isNewerSchema, kindOfDocument, metaOf, readMeta } from '../../editor/meta'
import { mirrorOf, type Mirror } from '../../editor/mirror'
import type { Surface, SurfaceOptions } from '../../editor/surface'
import { fill, h } from '../dom'
import { icon } from '../icons'

const NEWER = 'Made with a newer editor: you can read it here, but not change it. Reloading the page may bring the newer one.'

// Focus would bring up the keyboard there, over half of the page.
const TOUCH = matchMedia('(pointer: coarse)')

type Mount = (options: SurfaceOptions) => Surface | null

/** Fetches the code of a surface; asked for early, it comes while the document is still on its way. */
export async function loadSurface(kind: DocumentKind): Promise<Mount> {
  if (kind === 'rich') return (await import('../../editor/rich/surface')).mountRich
  return (await import('../../editor/text/surface')).mountText
}

export interface CanvasEvents {
  /** A surface came or went. */
  onSurface(surface: Surface | null): void
  /** The text or the selection changed. */
  onChange(): void
  /** Something to say about the document itself. */
  onNotice(text: string | null): void
}

export class Canvas {
  #surface: Surface | null = null
  #mirror: Mirror | null = null
  #shown: DocumentKind | 'choice' | null = null
  /** Raised with each redraw, so that code which arrives late does not draw over a newer state. */
  #turn = 0
  #editable = true
  #synced = false
  #locked = false
  #closed = false

  constructor(
    private readonly element: HTMLElement,
    private readonly name: string,
    private readonly doc: Y.Doc,
    private readonly awareness: Awareness,
    private readonly events: CanvasEvents,
  ) {
    fill(element, skeleton())
    element.setAttribute('aria-busy', 'true')
    delete element.dataset['kind']
    metaOf(doc).observe(this.#onMeta)
  }

  /** The copy of this device was read: what it holds can be shown, an empty one proves nothing. */
  loaded(): void {
    if (kindOfDocument(this.doc) !== null) this.#draw()
  }

  /** The server's copy is here: what is empty now is empty. */
  synced(): void {
    this.#synced = true
    this.#draw()
  }

  /** Called with each status, also while a surface is in the middle of an edit: it must not be told twice the same. */
  setEditable(editable: boolean): void {
    if (editable === this.#editable) return
    this.#editable = editable
    this.#surface?.setEditable(this.#mayEdit())
    this.events.onChange()
    if (this.#shown === 'choice' || (this.#shown === null && this.#synced)) this.#draw()
  }

  /** Nothing will come any more: what is shown stays, a skeleton would promise too much. */
  abandon(): void {
    if (this.#shown !== null) return
    this.element.removeAttribute('aria-busy')
    fill(this.element)
  }

  close(): void {
    this.#closed = true
    metaOf(this.doc).unobserve(this.#onMeta)
    this.#clear()
  }

  readonly #onMeta = (): void => {
    this.#surface?.setTitle(readMeta(this.doc).title)
    if (this.#shown !== null) this.#draw()
  }

  #mayEdit(): boolean {
    return this.#editable && !this.#locked
  }

  #draw(): void {
    if (this.#closed) return
    const kind = kindOfDocument(this.doc) ?? (this.#mayCreate() ? this.#createByName() : null)
    const mustLock = !this.#locked && isNewerSchema(this.doc)
    if (mustLock) this.#locked = true
    if (kind === null) {
      if (this.#synced) this.#showChoice()
    } else if (kind !== this.#shown || mustLock) {
      void this.#showSurface(kind)
    }
  }

  #mayCreate(): boolean {
    return this.#synced && this.#mayEdit()
  }

  #createByName(): DocumentKind | null {
    const kind = kindOfName(this.name)
    if (kind !== null) createMeta(this.doc, kind)
    return kind
  }

  async #showSurface(kind: DocumentKind): Promise<void> {
    const turn = ++this.#turn
    this.#shown = kind
    const mount = await loadSurface(kind).catch(() => null)
    if (turn !== this.#turn || this.#closed) return
    if (mount === null) {
      this.#shown = null
      this.events.onNotice('The editor could not be fetched. Reload the page when the connection is back.')
      return
    }
    this.#clear()
    this.#shown = kind
    if (this.#locked || !this.#mount(mount, kind)) {
      this.#locked = true
      this.#mountMirror(mount, kind)
    }
  }

  /** Puts the surface on the document itself; false where that would destroy what it does not know. */
  #mount(mount: Mount, kind: DocumentKind): boolean {
    const surface = mount({ ...this.#options(kind), onUnknownContent: () => this.#onUnknownContent(mount, kind) })
    if (surface === null) return false
    this.#take(surface)
    return true
  }

  #mountMirror(mount: Mount, kind: DocumentKind): void {
    this.#mirror = mirrorOf(this.doc)
    this.events.onNotice(NEWER)
    const surface = mount({ ...this.#options(kind), doc: this.#mirror.doc, editable: false, onUnknownContent: null })
    if (surface !== null) this.#take(surface)
  }

  #onUnknownContent(mount: Mount, kind: DocumentKind): void {
    const turn = ++this.#turn
    this.#locked = true
    // The change that brought it is still being applied: look at the document when that is over.
    queueMicrotask(() => {
      if (turn !== this.#turn || this.#closed) return
      this.#clear()
      this.#shown = kind
      this.#mountMirror(mount, kind)
    })
  }

  #options(kind: DocumentKind): Omit<SurfaceOptions, 'onUnknownContent'> {
    const parent = h('div', { class: `surface surface-${kind}` })
    fill(this.element, parent)
    this.element.dataset['kind'] = kind
    return {
      parent,
      doc: this.doc,
      awareness: this.awareness,
      name: this.name,
      title: readMeta(this.doc).title,
      editable: this.#mayEdit(),
      onChange: () => this.events.onChange(),
    }
  }

  #take(surface: Surface): void {
    this.#surface = surface
    this.element.removeAttribute('aria-busy')
    // Access may have changed between the options and now.
    surface.setEditable(this.#mayEdit())
    this.events.onSurface(surface)
    if (this.#mayEdit() && this.#isEmpty() && document.activeElement === document.body && !TOUCH.matches) surface.focus()
  }

  /** Only a blank page takes the focus by itself: elsewhere it would put one's caret where one does not look. */
  #isEmpty(): boolean {
    return this.doc.getXmlFragment('default').length === 0 && this.doc.getText('content').length === 0
  }

  #clear(): void {
    const surface = this.#surface
    this.#surface = null
    this.#shown = null
    if (surface !== null) this.events.onSurface(null)
    surface?.destroy()
    this.#mirror?.destroy()
    this.#mirror = null
  }

  #showChoice(): void {
    this.#turn++
    this.#shown = 'choice'
    this.element.removeAttribute('aria-busy')
    fill(this.element, this.#mayEdit() ? kindChoice((kind) => createMeta(this.doc, kind)) : emptiness())
  }
}

function skeleton(): HTMLElement {
  const widths = [46, 92, 98, 84, 95, 61]
  const bars = widths.map((width, at) => {
    const bar = h('div', { class: at === 0 ? 'skeleton-bar skeleton-heading' : 'skeleton-bar' })
    bar.style.width = `${width}%`
    return bar
  })
  return h('div', { class: 'skeleton', 'data-testid': 'skeleton', 'aria-label': 'Loading' }, ...bars)
}

function kindChoice(choose: (kind: DocumentKind) => void): HTMLElement {
  const choice = (kind: DocumentKind, label: string, hint: string): HTMLElement =>
    h(
      'button',
      { type: 'button', class: `create-button kind-${kind}`, 'data-testid': `choose-${kind}`, onclick: () => choose(kind) },
      icon(kind),
      h('span', { class: 'create-label' }, h('strong', {}, label), h('span', {}, hint)),
    )
  return h(
    'div',
    { class: 'choice', 'data-testid': 'kind-choice' },
    h('h2', {}, 'This document is new. What will it be?'),
    h(
      'div',
      { class: 'choice-buttons' },
      choice('rich', 'Rich text', 'Headings, lists, links'),
      choice('text', 'Plain text', 'Markdown, notes, code'),
    ),
  )
}

function emptiness(): HTMLElement {
  return h('div', { class: 'choice' }, h('h2', {}, 'Nothing is written here yet.'))
}
