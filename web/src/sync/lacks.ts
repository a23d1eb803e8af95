/**
 * What to send after OPENED: everything that the server lacks, and no more.
 *
 * State vectors do not cover deletes, and every diff carries the document's whole delete set (113 KB for a document of
 * 250,000 edits). So a client with nothing to tell sends nothing, and one that was offline sends its own unsaved edits,
 * deletes included. Only where the server lacks something else (it crashed before it committed what peers had already
 * seen, or the document held text before the provider came) does the whole diff go.
 */

import * as Y from 'yjs'

export function whatServerLacks(
  doc: Y.Doc,
  serverStateVector: Uint8Array,
  unsaved: Uint8Array | null,
): Uint8Array | null {
  const server = Y.decodeStateVector(serverStateVector)
  const missing = [...Y.decodeStateVector(Y.encodeStateVector(doc))].filter(
    ([client, clock]) => clock > (server.get(client) ?? 0),
  )
  if (missing.length === 0) return unsaved
  if (unsaved !== null && isGapless(unsaved)) {
    const { from, to } = Y.parseUpdateMeta(unsaved)
    const isCovered = ([client, clock]: readonly [number, number]): boolean =>
      (from.get(client) ?? Infinity) <= (server.get(client) ?? 0) && (to.get(client) ?? 0) >= clock
    if (missing.every(isCovered)) return unsaved
  }
  return diffWithoutPending(doc, serverStateVector)
}

function isGapless(update: Uint8Array): boolean {
  return !Y.decodeUpdate(update).structs.some((struct) => struct instanceof Y.Skip)
}

/**
 * Yjs adds to a diff what waits for its dependencies. The server refuses updates with gaps, and what waits came from
 * somebody else anyway.
 */
function diffWithoutPending(doc: Y.Doc, serverStateVector: Uint8Array): Uint8Array {
  const { store } = doc
  const { pendingStructs, pendingDs } = store
  store.pendingStructs = null
  store.pendingDs = null
  try {
    return Y.encodeStateAsUpdate(doc, serverStateVector)
  } finally {
    store.pendingStructs = pendingStructs
    store.pendingDs = pendingDs
  }
}
