import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { hasCursor } from '../../src/editor/cursor'

describe('hasCursor', () => {
  it('takes what Yjs bindings write, as positions and after a way through JSON', () => {
    const text = new Y.Doc().getText('content')
    const empty = Y.createRelativePositionFromTypeIndex(text, 0)
    text.insert(0, 'hello')
    const inside = Y.createRelativePositionFromTypeIndex(text, 2)
    const state = { cursor: { anchor: empty, head: inside } }
    expect(hasCursor(state)).toBe(true)
    expect(hasCursor(JSON.parse(JSON.stringify(state)))).toBe(true)
  })

  it.each([
    null,
    {},
    { cursor: null },
    { cursor: 'x' },
    { cursor: { anchor: {}, head: {} } },
    { cursor: { anchor: { item: 7 }, head: { item: 7 } } },
    { cursor: { anchor: { item: { client: -1, clock: 0 } }, head: { tname: 'content' } } },
    { cursor: { anchor: { tname: 'content', assoc: 'x' }, head: { tname: 'content' } } },
  ])('refuses %j', (state) => {
    expect(hasCursor(state)).toBe(false)
  })
})
