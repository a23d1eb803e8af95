// Writes hocuspocus.json: what real Hocuspocus providers and a real Hocuspocus server say to each other, frame by frame.
// Run it with Node after `npm ci` in tests/clients and in benchmarks/peers.
//
// conversations: frames in their order, each with who said it and what lib0 reads in it. malformed: what no client says.

import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const clients = createRequire(new URL('../clients/package.json', import.meta.url))
const peers = createRequire(new URL('../../benchmarks/peers/package.json', import.meta.url))
const load = async (require, name) => import(pathToFileURL(require.resolve(name)))
const versionOf = (require, name) => {
  for (const folder of require.resolve.paths(name)) {
    try {
      return require(`${folder}/${name}/package.json`).version
    } catch {} // not in this one
  }
}

const { Server } = await load(peers, '@hocuspocus/server')
const WebSocket = clients('ws')
const decoding = clients('lib0/decoding')

const hex = (bytes) => Buffer.from(bytes).toString('hex')
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

function read(bytes, from) {
  if (bytes.length === 1) return { type: { 9: 'ping', 10: 'pong' }[bytes[0]] }
  const decoder = decoding.createDecoder(bytes)
  const string = () => decoding.readVarString(decoder)
  const buffer = () => ({ hex: hex(decoding.readVarUint8Array(decoder)) })
  const number = () => decoding.readVarUint(decoder)
  const address = string()
  const types = {
    0: () => [() => ({ type: 'step 1', state_vector: buffer() }), () => ({ type: 'step 2', update: buffer() }),
      () => ({ type: 'update', update: buffer() })][number()](),
    1: () => ({ type: 'awareness', awareness: buffer() }),
    2: () => [
      () => ({ type: 'token', token: string(), version: decoding.hasContent(decoder) ? string() : null }),
      () => ({ type: 'denied', reason: string() }),
      () => ({ type: 'authenticated', scope: string() }),
    ][number()](),
    3: () => ({ type: 'query awareness' }),
    5: () => ({ type: 'stateless', payload: string() }),
    7: () => (from === 'server' ? { type: 'close', reason: string() } : { type: 'leave' }),
    8: () => ({ type: 'sync status', taken: number() === 1 }),
  }
  return { address, ...types[number()]() }
}

const server = new Server({
  quiet: true,
  port: 0,
  async onAuthenticate({ token, connectionConfig }) {
    if (token === 'refused') throw { reason: 'not you' }
    connectionConfig.readOnly = token === 'reader'
  },
  async onStateless({ document, payload }) {
    document.broadcastStateless(payload)
  },
})
await server.listen()

async function record(name, token, options = {}) {
  const { HocuspocusProvider, HocuspocusProviderWebsocket } = await load(clients, name)
  const frames = []
  const note = (from, data) => {
    const bytes = new Uint8Array(data)
    frames.push({ from, hex: hex(bytes), message: read(bytes, from) })
  }
  class Recorded extends WebSocket {
    constructor(url) {
      super(url)
      this.addEventListener('message', ({ data }) => note('server', data))
    }

    send(data) {
      note('client', data)
      super.send(data)
    }
  }
  const url = `ws://127.0.0.1:${server.address.port}`
  const websocketProvider = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: Recorded })
  const provider = new HocuspocusProvider({ websocketProvider, name: 'notes/Zürich', token, ...options })
  provider.attach?.()
  await wait(300)
  provider.document.getText('content').insert(0, 'hi')
  provider.setAwarenessField('user', { name: 'Ana' })
  provider.sendStateless('are you there?')
  await wait(300)
  provider.destroy()
  await wait(100)
  websocketProvider.destroy()
  return { provider: versionOf(clients, name), server: versionOf(peers, '@hocuspocus/server'), token, frames }
}

const conversations = []
for (const name of ['@hocuspocus/provider', 'hocuspocus-provider-3', 'hocuspocus-provider-2'])
  for (const token of ['writer', 'reader', 'refused']) conversations.push(await record(name, token))
conversations.push(await record('@hocuspocus/provider', 'writer', { sessionAwareness: true }))

const malformed = [
  ['no bytes', ''],
  ['one byte that is neither ping nor pong', '08'],
  ['an address without a type', '0164'],
  ['an address that claims more bytes than there are', '0664'],
  ['an address whose length has no end', 'ff'.repeat(200)],
  ['an address that is not UTF-8', '01ff0000'],
  ['an address of 1,025 bytes', `8108${'61'.repeat(1025)}0300`],
  ['a type without an end', `0164${'ff'.repeat(200)}`],
  ['type 4, which servers say among themselves', '016404000100'],
  ['type 8, which only servers say', '01640801'],
  ['type 9 with an address', '016409'],
  ['type 11', '01640b'],
  ['a sync message without a step', '016400'],
  ['a sync message of step 3', '016400030100'],
  ['a state vector that claims more bytes than there are', '016400000a00'],
  ['an update without a length', '01640002'],
  ['an update that claims 2^53 bytes', '01640002ffffffffffffff1f00'],
  ['an update whose length has no end', `01640002${'80'.repeat(200)}`],
  ['presence without a length', '016401'],
  ['presence that claims more bytes than there are', '0164010500'],
  ['an auth message that only a server sends', '016402020a726561642d7772697465'],
  ['a token that is not UTF-8', '0164020001ff'],
  ['a token that claims more bytes than there are', '016402000561'],
  ['a version that claims more bytes than there are', '016402000161057a'],
  ['a stateless message that is not UTF-8', '01640501ff'],
].map(([name, frame]) => ({ name, hex: frame, code: 4400 }))

writeFileSync(new URL('hocuspocus.json', import.meta.url), `${JSON.stringify({ conversations, malformed }, null, 1)}\n`)
process.exit()
