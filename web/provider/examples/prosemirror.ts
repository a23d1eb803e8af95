import { CollabdocProvider } from '@collabdoc/provider'
import { exampleSetup } from 'prosemirror-example-setup'
import { keymap } from 'prosemirror-keymap'
import { schema } from 'prosemirror-schema-basic'
import { EditorState } from 'prosemirror-state'
import { EditorView } from 'prosemirror-view'
import 'prosemirror-view/style/prosemirror.css'
import { initProseMirrorDoc, redo, undo, yCursorPlugin, ySyncPlugin, yUndoPlugin } from 'y-prosemirror'
import * as Y from 'yjs'

const ydoc = new Y.Doc()
const provider = new CollabdocProvider('https://docs.example.com', 'notes/today', ydoc)
provider.awareness.setLocalStateField('user', { name: 'Ana', color: '#2f62d9' })

const { doc, mapping } = initProseMirrorDoc(ydoc.getXmlFragment('prosemirror'), schema)
const plugins = [
  ySyncPlugin(ydoc.getXmlFragment('prosemirror'), { mapping }),
  yCursorPlugin(provider.awareness),
  yUndoPlugin(),
  keymap({ 'Mod-z': undo, 'Mod-y': redo, 'Mod-Shift-z': redo }),
  ...exampleSetup({ schema, history: false }),
]
new EditorView(document.querySelector('#editor'), { state: EditorState.create({ doc, plugins }) })
