import { CollabdocProvider } from '@collabdoc/provider'
import { WebSocket } from 'ws'
import * as Y from 'yjs'

const [url = 'http://127.0.0.1:8080', name = 'notes/today'] = process.argv.slice(2)

const doc = new Y.Doc()
const provider = new CollabdocProvider(url, name, doc, { environment: { WebSocket } })
await provider.whenSynced
doc.getText('content').insert(0, 'Good morning. ')
await provider.whenSaved()
console.log(doc.getText('content').toString())
await provider.destroy()
