// Unmodified Hocuspocus providers of one version on one connection: `node hocuspocus.mjs <url> <version>`.
// Does what lines of JSON on stdin say, and tells on stdout what its providers tell, each with the place it has here.

import { createInterface } from 'node:readline'
import WebSocket from 'ws'
import * as Y from 'yjs'

const PACKAGES = { 2: 'hocuspocus-provider-2', 3: 'hocuspocus-provider-3', 4: '@hocuspocus/provider' }
const [url, version] = process.argv.slice(2)
const { HocuspocusProvider, HocuspocusProviderWebsocket } = await import(PACKAGES[version])

const tell = (event, details = {}) => process.stdout.write(`${JSON.stringify({ event, ...details })}\n`)

let headers = {}
const frames = []
class Socket extends WebSocket {
  constructor(address) {
    super(address, { headers })
    this.addEventListener('message', ({ data }) => frames.push(['server', Buffer.from(data).toString('hex')]))
    this.addEventListener('close', ({ code, reason }) => tell('socket closed', { code, reason }))
  }

  send(data) {
    frames.push(['client', Buffer.from(data).toString('hex')])
    super.send(data)
  }
}

let websocketProvider
const providers = new Map()

function open({ at, name, token = '', session = false, docOf }) {
  websocketProvider ??= new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: Socket, delay: 50, minDelay: 50 })
  const provider = new HocuspocusProvider({
    websocketProvider,
    name,
    token,
    document: docOf ? providers.get(docOf).document : undefined,
    sessionAwareness: session,
    onAuthenticated: (said) => tell('authenticated', { at, scope: said?.scope ?? provider.authorizedScope }),
    onAuthenticationFailed: ({ reason }) => tell('authentication failed', { at, reason }),
    onSynced: () => tell('synced', { at }),
    onClose: ({ event }) => tell('closed', { at, code: event.code, reason: event.reason }),
    onStateless: ({ payload }) => tell('stateless', { at, payload }),
    onUnsyncedChanges: (said) => tell('unsynced', { at, number: said.number ?? said }),
    onAwarenessChange: ({ states }) => tell('awareness', { at, states }),
  })
  provider.on('unsyncedChanges', (said) => version === '2' && tell('unsynced', { at, number: said }))
  provider.document.on('update', () => tell('text', { at, text: provider.document.getText('content').toString() }))
  provider.attach?.()
  providers.set(at, provider)
  tell('client', { at, id: provider.document.clientID })
}

const orders = {
  headers: (order) => (headers = order.headers),
  open,
  type: ({ at, text, where = 0 }) => providers.get(at).document.getText('content').insert(where, text),
  delete: ({ at, from, length }) => providers.get(at).document.getText('content').delete(from, length),
  present: ({ at, field, value }) => providers.get(at).setAwarenessField(field, value),
  stateless: ({ at, payload }) => providers.get(at).sendStateless(payload),
  'force sync': ({ at }) => providers.get(at).forceSync(),
  token: ({ at, token }) => {
    providers.get(at).configuration.token = token
    return providers.get(at).sendToken()
  },
  'next token': ({ at, token }) => (providers.get(at).configuration.token = token),
  destroy: ({ at }) => providers.get(at).destroy(),
  disconnect: () => websocketProvider.disconnect(),
  connect: () => websocketProvider.connect(),
  cut: () => websocketProvider.webSocket.terminate(),
  look: ({ at }) => {
    const provider = providers.get(at)
    const states = [...(provider.awareness?.getStates() ?? [])].map(([clientId, state]) => ({ clientId, ...state }))
    tell('seen', {
      at,
      text: provider.document.getText('content').toString(),
      unsynced: provider.hasUnsyncedChanges,
      synced: provider.synced,
      states,
    })
  },
  frames: () => tell('frames', { frames }),
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  await orders[order.do](order)
}
