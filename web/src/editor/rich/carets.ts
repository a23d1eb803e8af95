/** Others' carets and selections in rich text. */
import { Extension } from '@tiptap/core'
import { yCursorPlugin } from '@tiptap/y-tiptap'
import type { Awareness } from 'y-protocols/awareness'
import { createCaret, followCarets, selectionStyle } from '../carets'
import { profileOf } from '../people'
import { hasCursor } from '../cursor'
import { Plugin, PluginKey } from '@tiptap/pm/state'

export const Carets = Extension.create<{ awareness: Awareness | null }>({
  name: 'carets',
  // After the collaboration extension, whose positions it needs.
  priority: 999,

  addOptions() {
    return { awareness: null }
  },

  addProseMirrorPlugins() {
    const { awareness } = this.options
    if (awareness === null) return []
    return [
      yCursorPlugin(awareness, {
        awarenessStateFilter: (own: number, client: number, state: unknown) => client !== own && hasCursor(state),
        cursorBuilder: (user: unknown, client: number) => createCaret(profileOf({ user }, client), client),
        selectionBuilder: (user: unknown, client: number) => ({ style: selectionStyle(profileOf({ user }, client)) }),
      }),
      new Plugin({
        key: new PluginKey('follow-carets'),
        view: (view) => ({ destroy: followCarets(view.dom, awareness) }),
      }),
    ]
  },
})
