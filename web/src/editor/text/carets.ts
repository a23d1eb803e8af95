/**
 * Carets and selections of others in plain text, and the announcement of one's own.
 *
 * Speaks the same `cursor` field as other Yjs bindings for CodeMirror. The state of a peer is checked before it is
 * resolved, and its colour before it is drawn: both come from whoever is connected.
 */
import { Annotation, RangeSet, type Range, type Text } from '@codemirror/state'
import { Decoration, EditorView, ViewPlugin, WidgetType, type DecorationSet, type ViewUpdate } from '@codemirror/view'
import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { createCaret, followCarets, selectionStyle } from '../carets'
import { hasCursor } from '../cursor'
import { isVerified, profileOf, type Profile } from '../people'

interface Cursor {
  readonly anchor: Y.RelativePosition
  readonly head: Y.RelativePosition
}

const othersMoved = Annotation.define<true>()

export function carets(text: Y.Text, awareness: Awareness): ViewPlugin<Carets> {
  return ViewPlugin.define((view) => new Carets(view, text, awareness), { decorations: (plugin) => plugin.decorations })
}

class Carets {
  decorations: DecorationSet = RangeSet.empty
  readonly #stopFollowing: () => void

  constructor(
    private readonly view: EditorView,
    private readonly text: Y.Text,
    private readonly awareness: Awareness,
  ) {
    this.awareness.on('change', this.#onAwareness)
    this.#stopFollowing = followCarets(view.dom, awareness)
    this.decorations = this.#draw(view.state.doc)
  }

  update(update: ViewUpdate): void {
    if (update.docChanged || update.selectionSet || update.focusChanged) this.#announce()
    const moved = update.transactions.some((transaction) => transaction.annotation(othersMoved))
    if (moved || update.docChanged) this.decorations = this.#draw(update.state.doc)
  }

  destroy(): void {
    this.awareness.off('change', this.#onAwareness)
    this.#stopFollowing()
    if (this.awareness.getLocalState() !== null) this.awareness.setLocalStateField('cursor', null)
  }

  readonly #onAwareness = (change: { added: number[]; updated: number[]; removed: number[] }): void => {
    const clients = [...change.added, ...change.updated, ...change.removed]
    // One's own entry changes in the middle of a view update, when no transaction may be dispatched.
    if (clients.every((client) => client === this.awareness.clientID)) return
    this.view.dispatch({ annotations: othersMoved.of(true) })
  }

  #announce(): void {
    const state = this.awareness.getLocalState()
    if (state === null) return
    const known = hasCursor(state) ? (state['cursor'] as Cursor) : null
    if (!this.view.hasFocus) {
      if (known !== null) this.awareness.setLocalStateField('cursor', null)
      return
    }
    const { anchor, head } = this.view.state.selection.main
    const cursor = {
      anchor: Y.createRelativePositionFromTypeIndex(this.text, anchor),
      head: Y.createRelativePositionFromTypeIndex(this.text, head),
    }
    const same = known !== null && samePosition(known.anchor, cursor.anchor) && samePosition(known.head, cursor.head)
    if (!same) this.awareness.setLocalStateField('cursor', cursor)
  }

  #draw(doc: Text): DecorationSet {
    const ranges: Range<Decoration>[] = []
    for (const [client, state] of this.awareness.getStates()) {
      if (client === this.awareness.clientID || !hasCursor(state)) continue
      const cursor = state['cursor'] as Cursor
      const anchor = this.#resolve(cursor.anchor, doc.length)
      const head = this.#resolve(cursor.head, doc.length)
      if (anchor === null || head === null) continue
      const profile = profileOf(state, client)
      if (anchor !== head) {
        const style = selectionStyle(profile)
        ranges.push(Decoration.mark({ attributes: { style } }).range(Math.min(anchor, head), Math.max(anchor, head)))
      }
      const widget = new CaretWidget(profile, client, isVerified(state))
      ranges.push(Decoration.widget({ widget, side: head > anchor ? -1 : 1 }).range(head))
    }
    return Decoration.set(ranges, true)
  }

  #resolve(position: Y.RelativePosition, length: number): number | null {
    const { doc } = this.text
    if (doc === null) return null
    const found = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(position), doc)
    return found === null || found.type !== this.text ? null : Math.min(found.index, length)
  }
}

class CaretWidget extends WidgetType {
  constructor(
    private readonly profile: Profile,
    private readonly client: number,
    private readonly verified: boolean,
  ) {
    super()
  }

  override eq(other: CaretWidget): boolean {
    return other.client === this.client
  }

  override toDOM(): HTMLElement {
    return createCaret(this.profile, this.client, { verified: this.verified })
  }

  override ignoreEvent(): boolean {
    return true
  }
}

function samePosition(a: Y.RelativePosition, b: Y.RelativePosition): boolean {
  return Y.compareRelativePositions(Y.createRelativePositionFromJSON(a), b)
}
