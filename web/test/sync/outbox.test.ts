import { beforeEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'

import { Outbox } from '../../src/sync/outbox'

let doc: Y.Doc
let outbox: Outbox

beforeEach(() => {
  doc = new Y.Doc()
  outbox = new Outbox()
})

/** Type into the document; gives the update. */
function typed(text: string): Uint8Array {
  let made: Uint8Array = new Uint8Array()
  doc.once('update', (update: Uint8Array) => (made = update))
  doc.getText('content').insert(doc.getText('content').length, text)
  return made
}

function textOf(...updates: (Uint8Array | null)[]): string {
  const other = new Y.Doc()
  for (const update of updates) if (update !== null) Y.applyUpdate(other, update)
  return other.getText('content').toString()
}

describe('an outbox', () => {
  it('has nothing to send or to save at first', () => {
    expect(outbox.take()).toBeNull()
    expect(outbox.unsaved).toBe(false)
    expect(outbox.unsavedUpdate()).toBeNull()
  })

  it('numbers edits, and UPDATEs, from 1', () => {
    expect([outbox.add(typed('a')), outbox.add(typed('b'))]).toEqual([1, 2])
    expect(outbox.take()?.id).toBe(1)
    outbox.add(typed('c'))
    expect(outbox.take()?.id).toBe(2)
  })

  it('gathers what was made since the last UPDATE into one', () => {
    for (const letter of 'abc') outbox.add(typed(letter))
    expect(textOf(outbox.take()?.update ?? null)).toBe('abc')
    expect(outbox.take()).toBeNull()
  })

  it('is unsaved until the last of its edits is SAVED', () => {
    outbox.add(typed('a'))
    expect(outbox.unsaved).toBe(true)
    outbox.take()
    outbox.add(typed('b'))
    expect(outbox.saved(1)).toBe(1)
    expect(outbox.unsaved).toBe(true)
    outbox.take()
    expect(outbox.saved(2)).toBe(2)
    expect(outbox.unsaved).toBe(false)
  })

  it('takes one SAVED for many UPDATEs', () => {
    for (const letter of 'abc') {
      outbox.add(typed(letter))
      outbox.take()
    }
    expect(outbox.saved(3)).toBe(3)
    expect(outbox.unsaved).toBe(false)
  })

  it('learns nothing from a SAVED that it had before', () => {
    outbox.add(typed('a'))
    outbox.take()
    outbox.saved(1)
    expect(outbox.saved(1)).toBeNull()
  })

  it('sends everything again on a new channel, with ids from 1', () => {
    outbox.add(typed('a'))
    outbox.take()
    outbox.saved(1)
    outbox.add(typed('b'))
    outbox.take()
    outbox.add(typed('c'))
    outbox.restart()
    const again = outbox.take()
    expect(again?.id).toBe(1)
    const meta = Y.parseUpdateMeta(again?.update ?? new Uint8Array())
    expect([...meta.from.values(), ...meta.to.values()]).toEqual([1, 3])
    expect(outbox.saved(1)).toBe(3)
  })

  it('is not saved by what the server took behind an UPDATE that it rejected', () => {
    for (const letter of 'abc') {
      outbox.add(typed(letter))
      outbox.take()
    }
    outbox.rejected(2)
    expect(outbox.saved(3)).toBe(1)
    expect(outbox.unsaved).toBe(true)
    outbox.restart()
    outbox.take()
    expect(outbox.saved(1)).toBe(3)
  })

  it('sends what an earlier visit left before what is made now', () => {
    outbox.add(typed('b'))
    const earlier = new Y.Doc()
    earlier.getText('content').insert(0, 'a')
    outbox.adopt(Y.encodeStateAsUpdate(earlier))
    expect([...textOf(outbox.unsavedUpdate())].sort()).toEqual(['a', 'b'])
    outbox.take()
    expect(outbox.saved(1)).toBe(1)
  })

  it('says that edit 0 is saved where only an earlier visit had left something', () => {
    outbox.adopt(typed('a'))
    outbox.take()
    expect(outbox.saved(1)).toBe(0)
  })

  it('is bounded by merging while nothing can be sent, and loses nothing', () => {
    for (let edit = 1; edit <= 1000; edit += 1) outbox.add(typed('x'))
    expect(textOf(outbox.unsavedUpdate())).toBe('x'.repeat(1000))
    expect(outbox.take()?.id).toBe(1)
    expect(outbox.saved(1)).toBe(1000)
  })

  it('is bounded by merging while nothing is SAVED, and is never saved too early', () => {
    for (let edit = 1; edit <= 1000; edit += 1) {
      outbox.add(typed('x'))
      outbox.take()
    }
    expect(textOf(outbox.unsavedUpdate())).toBe('x'.repeat(1000))
    expect(outbox.saved(999) ?? 0).toBeLessThanOrEqual(999)
    expect(outbox.unsaved).toBe(true)
    outbox.saved(1000)
    expect(outbox.unsaved).toBe(false)
  })
})
