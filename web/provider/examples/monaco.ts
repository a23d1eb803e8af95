import { CollabdocProvider } from '@collabdoc/provider'
import * as monaco from 'monaco-editor'
import { MonacoBinding } from 'y-monaco'
import * as Y from 'yjs'

const doc = new Y.Doc()
const provider = new CollabdocProvider('https://docs.example.com', 'notes/today', doc)

const editor = monaco.editor.create(document.body, { language: 'markdown' })
const model = editor.getModel()
if (model !== null) new MonacoBinding(doc.getText('content'), model, new Set([editor]), provider.awareness)
