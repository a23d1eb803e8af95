// One unmodified y-websocket client: `node yjs.mjs <url> <version> <document> [params as JSON]`. Does what lines of JSON
// on stdin say, and tells on stdout what its provider tells.

import { createInterface } from 'node:readline'
import WebSocket from 'ws'
import * as Y from 'yjs'

const PACKAGES = { 2: 'y-websocket-2', 3: 'y-websocket' }
const [url, version, document, params = '{}'] = process.argv.slice(2)
const { WebsocketProvider } = await import(PACKAGES[version])

const tell = (event, details = {}) => process.stdout.write(`${JSON.stringify({ event, ...details })}\n`)
console.warn = (text) => tell('warning', { text })

const doc = new Y.Doc()
const content = doc.getText('content')
const provider = new WebsocketProvider(url, document, doc, {
  WebSocketPolyfill: WebSocket,
  disableBc: true,
  connect: false,
  params: JSON.parse(params),
})
provider.on('status', ({ status }) => tell(status))
provider.on('sync', (synced) => tell(synced ? 'synced' : 'not synced'))
provider.on('connection-close', (event) => tell('closed', { code: event?.code, reason: event?.reason }))
provider.on('closed', ({ code, reason }) => tell('gave up', { code, reason }))
content.observe(() => tell('text', { text: content.toString() }))
provider.awareness.on('change', () => tell('present', { states: [...provider.awareness.getStates()] }))

const orders = {
  type: ({ text, at = 0 }) => content.insert(at, text),
  delete: ({ at, length }) => content.delete(at, length),
  present: ({ field, value }) => provider.awareness.setLocalStateField(field, value),
  connect: () => provider.connect(),
  disconnect: () => provider.disconnect(),
  cut: () => provider.ws.terminate(),
  destroy: () => provider.destroy(),
  look: () => tell('seen', { text: content.toString(), heard_ms: provider.wsLastMessageReceived }),
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  orders[order.do](order)
}
