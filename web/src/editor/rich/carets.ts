/** Others' carets and selections in rich text. */
import { Extension } from '@tiptap/core'
import { Plugin, PluginKey } from '@tiptap/pm/state'
import { yCursorPlugin, yCursorPluginKey } from '@tiptap/y-tiptap'
import type { Awareness } from 'y-protocols/awareness'
import { createCaret, followCarets, selectionStyle } from '../carets'
import { hasCursor } from '../cursor'
import { isVerified, profileOf } from '../people'
import { readSelection } from '../selection'

export const Carets = Extension.create<{ awareness: Awareness | null }>({
  name: 'carets',
  // After the collaboration extension, whose positions it needs.
  priority: 999,

  addOptions() {
    return { awareness: null }
  },

  // Carets that come and go put the selection back to what the editor knows of it: let it know the newest before.
  dispatchTransaction({ transaction, next }) {
    const news: unknown = transaction.getMeta(yCursorPluginKey)
    if (news === undefined) return next(transaction)
    readSelection()
    next(this.editor.state.tr.setMeta(yCursorPluginKey, news))
  },

  addProseMirrorPlugins() {
    const { awareness } = this.options
    if (awareness === null) return []
    return [
      yCursorPlugin(awareness, {
        // Oneself by the awareness, not by the document: that may be a mirror, with an id of its own.
        awarenessStateFilter: (_own: number, client: number, state: unknown) => client !== awareness.clientID && hasCursor(state),
        cursorBuilder: (user: unknown, client: number) =>
          createCaret(profileOf({ user }, client), client, { verified: isVerified({ user }) }),
        selectionBuilder: (user: unknown, client: number) => ({ style: selectionStyle(profileOf({ user }, client)) }),
      }),
      new Plugin({
        key: new PluginKey('follow-carets'),
        view: (view) => ({ destroy: followCarets(view.dom, awareness) }),
        props: { handleDOMEvents: { keydown: leaveCaret } },
      }),
    ]
  },
})

/** A click can place the selection in another's caret, where a key does nothing until the editor has put it beside that. */
function leaveCaret(): void {
  if (getSelection()?.anchorNode?.parentElement?.closest('.caret')) readSelection()
}
