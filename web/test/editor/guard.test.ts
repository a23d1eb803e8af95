import { getSchema } from '@tiptap/core'
import StarterKit from '@tiptap/starter-kit'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { isKnown, watchForUnknown } from '../../src/editor/rich/guard'

const schema = getSchema([StarterKit])

function add(parent: Y.XmlFragment, name: string): Y.XmlElement {
  const element = new Y.XmlElement(name)
  parent.push([element])
  return element
}

function addParagraph(parent: Y.XmlFragment, text: string, marks: Record<string, object> = {}): Y.XmlText {
  const content = new Y.XmlText()
  add(parent, 'paragraph').push([content])
  content.insert(0, text, marks)
  return content
}

function isKnownWith(write: (fragment: Y.XmlFragment) => void): boolean {
  const fragment = new Y.Doc().getXmlFragment('default')
  write(fragment)
  return isKnown(fragment, schema)
}

describe('isKnown', () => {
  it('knows what the schema knows, overlapping marks included', () => {
    expect(isKnownWith(() => undefined)).toBe(true)
    expect(isKnownWith((fragment) => void addParagraph(fragment, 'a', { bold: {} }))).toBe(true)
    expect(isKnownWith((fragment) => void add(fragment, 'horizontalRule'))).toBe(true)
    expect(isKnownWith((fragment) => void addParagraph(fragment, 'a', { 'link--aB3+/=xy': {} }))).toBe(true)
  })

  it('finds a strange node however deep, and a strange mark', () => {
    expect(isKnownWith((fragment) => void add(add(fragment, 'blockquote'), 'diagram'))).toBe(false)
    expect(isKnownWith((fragment) => void addParagraph(fragment, 'a', { comment: {} }))).toBe(false)
  })

  it('is not fooled by names of object properties', () => {
    expect(isKnownWith((fragment) => void add(fragment, 'constructor'))).toBe(false)
    expect(isKnownWith((fragment) => void addParagraph(fragment, 'a', { toString: {} }))).toBe(false)
  })
})

describe('watchForUnknown', () => {
  /** How often the watcher speaks when somebody else makes this change to a document with one paragraph. */
  function alarmsAt(change: (fragment: Y.XmlFragment, first: Y.XmlText) => void): number {
    const [here, there] = [new Y.Doc(), new Y.Doc()]
    there.on('update', (update: Uint8Array) => Y.applyUpdate(here, update, 'there'))
    const fragment = there.getXmlFragment('default')
    const first = addParagraph(fragment, 'first')
    let alarms = 0
    watchForUnknown(here.getXmlFragment('default'), schema, () => alarms++)
    there.transact(() => change(fragment, first))
    return alarms
  }

  it('is quiet at ordinary writing', () => {
    expect(alarmsAt((fragment) => void addParagraph(fragment, 'x', { italic: {} }))).toBe(0)
    expect(alarmsAt((_, first) => first.insert(0, 'x'))).toBe(0)
    expect(alarmsAt((fragment) => fragment.delete(0, 1))).toBe(0)
  })

  it('speaks at a strange node, by itself or inside a new one', () => {
    expect(alarmsAt((fragment) => void add(fragment, 'diagram'))).toBe(1)
    expect(alarmsAt((fragment) => void add(add(fragment, 'blockquote'), 'diagram'))).toBe(1)
  })

  it('speaks at a strange mark on old text', () => {
    expect(alarmsAt((_, first) => first.format(0, 2, { comment: {} }))).toBe(1)
  })
})
