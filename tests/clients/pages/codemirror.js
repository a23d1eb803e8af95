import { basicSetup, EditorView } from 'codemirror'
import { yCollab } from 'y-codemirror.next'
import * as Y from 'yjs'

import { connect } from './provider.js'

const doc = new Y.Doc()
const provider = connect(doc)
const text = doc.getText('content')
new EditorView({
  doc: text.toString(),
  extensions: [basicSetup, yCollab(text, provider.awareness)],
  parent: document.querySelector('#editor'),
})
