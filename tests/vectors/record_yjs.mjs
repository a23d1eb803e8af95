// Writes yjs.json: what real y-websocket clients and their real server say to each other, frame by frame. Run it with
// Node after `npm ci` in tests/clients and in benchmarks/peers.
//
// conversations: frames in their order, each with who said it to whom and what lib0 reads in it. malformed: what no
// client says.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const clients = createRequire(new URL('../clients/package.json', import.meta.url))
const peers = createRequire(new URL('../../benchmarks/peers/package.json', import.meta.url))
const load = async (require, name) => import(pathToFileURL(require.resolve(name)))

const WebSocket = clients('ws')
const Y = await load(clients, 'yjs')
const decoding = clients('lib0/decoding')
const pinned = clients('./package.json')
const PORT = '18765'

const hex = (bytes) => Buffer.from(bytes).toString('hex')

function read(bytes) {
  const decoder = decoding.createDecoder(bytes)
  const type = ['sync', 'awareness', 'auth', 'query awareness'][decoding.readVarUint(decoder)]
  if (type === 'awareness') return { type, awareness: hex(decoding.readVarUint8Array(decoder)) }
  const step = decoding.readVarUint(decoder)
  const payload = hex(decoding.readVarUint8Array(decoder))
  return step === 0 ? { type: 'step 1', state_vector: payload } : { type: ['', 'step 2', 'update'][step], update: payload }
}

async function record(name) {
  const { WebsocketProvider } = await load(clients, name)
  const frames = []
  const waiting = []

  function note(client, from, data) {
    frames.push({ client, from, hex: hex(data), message: read(new Uint8Array(data)) })
    for (const look of waiting.splice(0)) look()
  }

  /** Waits until so many frames of a kind were said; then whatever they led to has been, too. */
  async function said(client, from, type, count = 1) {
    const found = () => frames.filter((each) => each.client === client && each.from === from && each.message.type === type)
    while (found().length < count) await new Promise((resolve) => waiting.push(resolve))
  }

  const recorded = (client) => class extends WebSocket {
    constructor(...given) {
      super(...given)
      this.on('message', (data) => note(client, 'server', data))
    }
    send(data) {
      note(client, 'client', data)
      super.send(data)
    }
  }

  function person(client, clientID, text) {
    const doc = new Y.Doc()
    doc.clientID = clientID
    if (text) doc.getText('content').insert(0, text)
    const provider = new WebsocketProvider(url, 'notes/today', doc, {
      WebSocketPolyfill: recorded(client), disableBc: true, connect: false,
    })
    provider.awareness.setLocalStateField('user', { name: client })
    provider.connect()
    return { provider, doc, awareness: provider.awareness }
  }

  const program = join(dirname(peers.resolve('@y/websocket-server/package.json')), 'src', 'server.js')
  const server = spawn(process.execPath, [program], { env: { ...process.env, HOST: '127.0.0.1', PORT } })
  await once(server.stdout, 'data') // it listens
  const url = `ws://127.0.0.1:${PORT}`

  const anna = person('anna', 1, 'typed offline ')
  await said('anna', 'client', 'step 2')
  anna.doc.getText('content').insert(0, 'typed online ')
  await said('anna', 'client', 'update')
  const ben = person('ben', 2)
  await said('ben', 'client', 'step 2')
  await said('anna', 'server', 'awareness', 2)
  ben.doc.getText('content').delete(0, 6)
  await said('anna', 'server', 'update', 2)
  anna.awareness.setLocalStateField('cursor', { at: 3 })
  await said('ben', 'client', 'awareness', 3)
  ben.provider.destroy()
  await said('anna', 'client', 'awareness', 4)
  anna.provider.destroy()
  server.kill()
  await once(server, 'exit')
  return { with: pinned.dependencies[name].split('@').at(-1), frames }
}

const conversations = [await record('y-websocket'), await record('y-websocket-2')]
const malformed = {
  'nothing': '',
  'an integer without end': '80808080808080808080',
  'a type alone': '00',
  'a step alone': '0000',
  'a length beyond the frame': '000205' + '0000',
  'a length of 2^53': '0002' + 'ffffffffffffff0f',
  'bytes behind the message': '000001' + '00' + '00',
  'bytes behind a query': '0300',
  'a sync message of type 3': '00030100',
  'an unknown type': '6400',
  'a denial, which only servers say': '02000161',
}
const malformedFrames = Object.entries(malformed).map(([name, hex]) => ({ name, hex }))
const vectors = { conversations, malformed: malformedFrames }
writeFileSync(new URL('yjs.json', import.meta.url), JSON.stringify(vectors, null, 1) + '\n')
process.exit(0) // not waiting for what the clients' timers still have to do
