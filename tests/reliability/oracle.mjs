// What real Yjs makes of updates: one JSON line in, `{"log": [hex, ...], "whole": hex}`, one out.
//
// `log` are updates that the server took, one after another, and `whole` is what it hands to newcomers.

import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const Y = require('yjs')

const bytes = (hex) => Buffer.from(hex, 'hex')

function replica(updates) {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, bytes(update))
  return doc
}

/** What a document holds, as far as both libraries say it alike. */
function describe(doc) {
  const clocks = [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort(([a], [b]) => a - b)
  const texts = Object.fromEntries(['t', 'content', 'text'].map((name) => [name, doc.getText(name).toString()]))
  const list = doc.getArray('list').length
  const keys = [...doc.getMap('map').keys()].sort()
  const xml = doc.getXmlFragment('xml').toString()
  const waits = doc.store.pendingStructs !== null || doc.store.pendingDs !== null
  return { clocks, texts, list, keys, xml, waits }
}

function answer({ log, whole }) {
  try {
    return { log: describe(replica(log)), whole: describe(replica([whole])) }
  } catch (error) {
    return { error: String(error) }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`)
}
