import { beforeEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'

import { whatServerLacks } from '../../src/sync/lacks'

let doc: Y.Doc
let server: Y.Doc
let unsaved: Uint8Array | null

beforeEach(() => {
  doc = new Y.Doc()
  server = new Y.Doc()
  unsaved = null
})

const content = (of: Y.Doc) => of.getText('content')

/** Change the document so that the server knows. */
function synced(change: () => void): void {
  change()
  Y.applyUpdate(server, Y.encodeStateAsUpdate(doc))
}

/** Change the document so that the server does not know, and we know that it does not. */
function offline(change: () => void): void {
  const made: Uint8Array[] = []
  const keep = (update: Uint8Array): void => void made.push(update)
  doc.on('update', keep)
  change()
  doc.off('update', keep)
  unsaved = Y.mergeUpdates([...(unsaved === null ? [] : [unsaved]), ...made])
}

const lacks = () => whatServerLacks(doc, Y.encodeStateVector(server), unsaved)

describe('what the server lacks', () => {
  it('is nothing where it has everything, whatever was deleted', () => {
    synced(() => {
      content(doc).insert(0, 'hello')
      content(doc).delete(0, 3)
    })
    expect(lacks()).toBeNull()
  })

  it('is the unsaved edits and no more', () => {
    synced(() => {
      content(doc).insert(0, 'hello'.repeat(100))
      for (let at = 0; at < 200; at += 1) content(doc).delete(at, 1)
    })
    offline(() => content(doc).insert(0, 'X'))
    expect(lacks()).toBe(unsaved)
    expect(lacks()?.byteLength).toBeLessThan(40)
    expect(Y.encodeStateAsUpdate(doc, Y.encodeStateVector(server)).byteLength).toBeGreaterThan(400)
  })

  it('holds deletes that are unsaved, of which state vectors know nothing', () => {
    synced(() => content(doc).insert(0, 'hello'))
    offline(() => content(doc).delete(0, 4))
    Y.applyUpdate(server, lacks() ?? new Uint8Array([0, 0]))
    expect(content(server).toString()).toBe('o')
  })

  it('is sent again where the server has it but has not said SAVED', () => {
    offline(() => content(doc).insert(0, 'a'))
    Y.applyUpdate(server, unsaved as Uint8Array)
    expect(lacks()).toBe(unsaved)
  })

  it('is the whole difference where a crash took what had been seen by all', () => {
    const peer = new Y.Doc()
    content(peer).insert(0, 'from a peer')
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(peer))
    offline(() => content(doc).insert(0, 'mine, '))
    Y.applyUpdate(server, lacks() ?? new Uint8Array([0, 0]))
    expect(content(server).toString()).toBe('mine, from a peer')
  })

  it('is the whole difference where the unsaved edits have a gap', () => {
    const part = (change: () => void): Uint8Array => {
      unsaved = null
      offline(change)
      return unsaved as unknown as Uint8Array
    }
    const first = part(() => content(doc).insert(0, 'a'))
    part(() => content(doc).insert(1, 'b'))
    const third = part(() => content(doc).insert(2, 'c'))
    unsaved = Y.mergeUpdates([first, third])
    Y.applyUpdate(server, lacks() ?? new Uint8Array([0, 0]))
    expect(content(server).toString()).toBe('abc')
  })

  it('leaves out what waits for its dependencies, and keeps it waiting', () => {
    const peer = new Y.Doc()
    content(peer).insert(0, 'a')
    const known = Y.encodeStateVector(peer)
    content(peer).insert(1, 'b')
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(peer, known))
    content(doc).insert(0, 'mine')
    Y.applyUpdate(server, lacks() ?? new Uint8Array([0, 0]))
    expect(content(server).toString()).toBe('mine')
    expect(server.store.pendingStructs).toBeNull()
    expect(doc.store.pendingStructs).not.toBeNull()
  })
})
