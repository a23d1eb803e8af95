import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { createMeta, isNewerSchema, kindOfDocument, readMeta, SCHEMA } from '../../src/editor/meta'

describe('readMeta', () => {
  it('trusts no type that another program may have written', () => {
    const doc = new Y.Doc()
    const meta = doc.getMap('meta')
    meta.set('title', 7)
    meta.set('kind', 'spreadsheet')
    meta.set('schema', '1')
    expect(readMeta(doc)).toEqual({ title: '', kind: null, schema: null })
  })
})

describe('kindOfDocument', () => {
  it('is unknown while nothing was written', () => {
    expect(kindOfDocument(new Y.Doc())).toBeNull()
  })

  it('follows the content where nobody wrote a kind', () => {
    const text = new Y.Doc()
    text.getText('content').insert(0, 'x')
    const rich = new Y.Doc()
    rich.getXmlFragment('default').push([new Y.XmlElement('paragraph')])
    expect(kindOfDocument(text)).toBe('text')
    expect(kindOfDocument(rich)).toBe('rich')
  })

  it('follows the kind where there is one', () => {
    const doc = new Y.Doc()
    doc.getText('content').insert(0, 'x')
    createMeta(doc, 'rich')
    expect(kindOfDocument(doc)).toBe('rich')
  })
})

describe('isNewerSchema', () => {
  it('takes a document without a schema, and ours, for known', () => {
    const doc = new Y.Doc()
    expect(isNewerSchema(doc)).toBe(false)
    createMeta(doc, 'rich')
    expect(isNewerSchema(doc)).toBe(false)
    doc.getMap('meta').set('schema', SCHEMA + 1)
    expect(isNewerSchema(doc)).toBe(true)
  })
})
