/**
 * A one-way copy of a document, for showing what this editor must not touch.
 *
 * Rich-text bindings delete nodes that their schema does not know, even in a view that cannot be edited. In a mirror
 * that happens to the copy alone.
 */
import * as Y from 'yjs'

export interface Mirror {
  readonly doc: Y.Doc
  destroy(): void
}

export function mirrorOf(source: Y.Doc): Mirror {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(source))
  const follow = (update: Uint8Array): void => Y.applyUpdate(doc, update)
  source.on('update', follow)
  return {
    doc,
    destroy() {
      source.off('update', follow)
      doc.destroy()
    },
  }
}
