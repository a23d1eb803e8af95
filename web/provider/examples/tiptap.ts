import { CollabdocProvider } from '@collabdoc/provider'
import { Editor } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { CollaborationCaret } from '@tiptap/extension-collaboration-caret'
import { StarterKit } from '@tiptap/starter-kit'
import * as Y from 'yjs'

const doc = new Y.Doc()
const provider = new CollabdocProvider('https://docs.example.com', 'notes/today', doc)

new Editor({
  element: document.querySelector('#editor'),
  extensions: [
    StarterKit.configure({ undoRedo: false }),
    Collaboration.configure({ document: doc }),
    CollaborationCaret.configure({ provider, user: { name: 'Ana', color: '#2f62d9' } }),
  ],
})
