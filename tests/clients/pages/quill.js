import Quill from 'quill'
import QuillCursors from 'quill-cursors'
import 'quill/dist/quill.snow.css'
import { QuillBinding } from 'y-quill'
import * as Y from 'yjs'

import { connect } from './provider.js'

Quill.register('modules/cursors', QuillCursors)
const doc = new Y.Doc()
const provider = connect(doc)
const quill = new Quill('#editor', { theme: 'snow', modules: { cursors: true, history: { userOnly: true } } })
new QuillBinding(doc.getText('quill'), quill, provider.awareness)
