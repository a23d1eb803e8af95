import { exampleSetup } from 'prosemirror-example-setup'
import { keymap } from 'prosemirror-keymap'
import { schema } from 'prosemirror-schema-basic'
import { EditorState } from 'prosemirror-state'
import { EditorView } from 'prosemirror-view'
import 'prosemirror-view/style/prosemirror.css'
import { redo, undo, yCursorPlugin, ySyncPlugin, yUndoPlugin } from 'y-prosemirror'
import * as Y from 'yjs'

import { connect } from './provider.js'

const doc = new Y.Doc()
const provider = connect(doc)
const plugins = [
  ySyncPlugin(doc.getXmlFragment('prosemirror')),
  yCursorPlugin(provider.awareness),
  yUndoPlugin(),
  keymap({ 'Mod-z': undo, 'Mod-y': redo }),
  ...exampleSetup({ schema, history: false, menuBar: false }),
]
new EditorView(document.querySelector('#editor'), { state: EditorState.create({ schema, plugins }) })
