// One unmodified provider: `node together.mjs <its package> <url> <document> <name>`. Edits and looks as lines of JSON on
// stdin say, and tells on stdout when others come or leave. Positions count UTF-16, cursors are those of Yjs.

import { createInterface } from 'node:readline'
import WebSocket from 'ws'
import * as Y from 'yjs'

const [kind, url, document, name] = process.argv.slice(2)
const line = url.replace('http', 'ws')
const doc = new Y.Doc()
const content = doc.getText('content')

const CONNECT = {
  'y-websocket': ({ WebsocketProvider }) =>
    new WebsocketProvider(`${line}/yjs`, document, doc, { WebSocketPolyfill: WebSocket, disableBc: true }),
  '@hocuspocus/provider': ({ HocuspocusProvider }) =>
    new HocuspocusProvider({ url: `${line}/hocuspocus`, name: document, document: doc, WebSocketPolyfill: WebSocket }),
  '@collabdoc/provider': ({ CollabdocProvider }) =>
    new CollabdocProvider(url, document, doc, { environment: { WebSocket } }),
}
const { awareness } = CONNECT[kind](await import(kind))
awareness.setLocalStateField('user', { name })

const tell = (event, details) => process.stdout.write(`${JSON.stringify({ event, ...details })}\n`)

const here = () => [...awareness.getStates().values()].flatMap((state) => state.user?.name ?? []).sort()
let told = ''
awareness.on('change', () => {
  if (told !== (told = String(here()))) tell('present', { names: here() })
})

function indexOf(cursor) {
  const position = Y.createRelativePositionFromJSON(cursor.head)
  return Y.createAbsolutePositionFromRelativePosition(position, doc)?.index ?? null
}

const orders = {
  replace: ({ place, length, text }) => {
    const start = Math.floor(place * content.length)
    doc.transact(() => {
      content.delete(start, Math.min(length, content.length - start))
      content.insert(start, text)
    })
    const head = Y.createRelativePositionFromTypeIndex(content, start + text.length, -1)
    awareness.setLocalStateField('cursor', { anchor: head, head })
  },
  look: () => {
    const pointing = [...awareness.getStates().values()].filter((state) => state.user && state.cursor)
    const cursors = Object.fromEntries(pointing.map(({ user, cursor }) => [user.name, indexOf(cursor)]))
    tell('seen', { text: content.toString(), cursors })
  },
}

for await (const order of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(order)
  orders[asked.do](asked)
}
