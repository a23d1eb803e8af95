import { CollabdocProvider } from '@collabdoc/provider'
import Quill from 'quill'
import QuillCursors from 'quill-cursors'
import 'quill/dist/quill.snow.css'
import { QuillBinding } from 'y-quill'
import * as Y from 'yjs'

Quill.register('modules/cursors', QuillCursors)

const doc = new Y.Doc()
const provider = new CollabdocProvider('https://docs.example.com', 'notes/today', doc)
provider.awareness.setLocalStateField('user', { name: 'Ana', color: '#2f62d9' })

// Quill's own history would take back what others wrote.
const quill = new Quill('#editor', { theme: 'snow', modules: { cursors: true, history: { userOnly: true } } })
new QuillBinding(doc.getText('quill'), quill, provider.awareness)
