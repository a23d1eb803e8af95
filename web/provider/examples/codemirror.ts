import { CollabdocProvider } from '@collabdoc/provider'
import { keymap } from '@codemirror/view'
import { basicSetup, EditorView } from 'codemirror'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import * as Y from 'yjs'

const doc = new Y.Doc()
const text = doc.getText('content')
const provider = new CollabdocProvider('https://docs.example.com', 'notes/today', doc)
provider.awareness.setLocalStateField('user', { name: 'Ana', color: '#2f62d9', colorLight: '#2f62d933' })

new EditorView({
  doc: text.toString(),
  extensions: [keymap.of(yUndoManagerKeymap), basicSetup, yCollab(text, provider.awareness)],
  parent: document.body,
})
