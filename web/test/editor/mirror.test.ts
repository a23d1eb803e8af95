import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { mirrorOf } from '../../src/editor/mirror'

it('follows its source and never changes it', () => {
  const source = new Y.Doc()
  source.getText('content').insert(0, 'a')
  const mirror = mirrorOf(source)
  source.getText('content').insert(1, 'b')
  expect(mirror.doc.getText('content').toString()).toBe('ab')
  mirror.doc.getText('content').delete(0, 1)
  expect(source.getText('content').toString()).toBe('ab')
  mirror.destroy()
  source.getText('content').insert(2, 'c')
  expect(mirror.doc.getText('content').toString()).toBe('b')
})
