import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { createMeta } from '../../src/editor/meta'
import { readableCopy } from '../../src/editor/readable'

type Inline = string | Y.XmlElement | [string, Record<string, unknown>]

function node(name: string, children: (Y.XmlElement | Inline)[] = [], attributes: Record<string, unknown> = {}): Y.XmlElement {
  const element = new Y.XmlElement(name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value as string)
  element.insert(
    0,
    children.map((child) => {
      if (child instanceof Y.XmlElement) return child
      const text = new Y.XmlText()
      if (typeof child === 'string') text.insert(0, child)
      else text.insert(0, child[0], child[1])
      return text
    }),
  )
  return element
}

const paragraph = (...children: Inline[]) => node('paragraph', children)

function copyOf(...blocks: Y.XmlElement[]): string {
  const doc = new Y.Doc()
  createMeta(doc, 'rich')
  doc.getXmlFragment('default').insert(0, blocks)
  const { text, extension } = readableCopy(doc)
  expect(extension).toBe('md')
  return text
}

describe('readableCopy', () => {
  it('is the text of a text, as it is', () => {
    const doc = new Y.Doc()
    createMeta(doc, 'text')
    doc.getText('content').insert(0, 'a *b*\n')
    expect(readableCopy(doc)).toEqual({ text: 'a *b*\n', extension: '' })
  })

  it('is Markdown of rich text', () => {
    const item = (...children: Y.XmlElement[]) => node('listItem', children)
    const copy = copyOf(
      node('heading', ['Plan'], { level: 2 }),
      paragraph('A ', ['bold', { bold: {} }], ', ', ['an italic ', { italic: {} }], ['and code', { code: {} }], '.'),
      node('bulletList', [item(paragraph('one'), node('orderedList', [item(paragraph('deep'))], { start: 3 })), item(paragraph('two'))]),
      node('blockquote', [paragraph('said'), paragraph('again')]),
      node('codeBlock', ['a\n```\nb'], { language: 'python' }),
      node('horizontalRule'),
      paragraph('see ', ['here', { link: { href: 'https://example.org/a b' } }], node('hardBreak'), 'next line'),
    )
    expect(copy).toBe(
      [
        '## Plan',
        '',
        'A **bold**, *an italic* `and code`.',
        '',
        '- one\n  3. deep\n- two',
        '',
        '> said\n>\n> again',
        '',
        '````python\na\n```\nb\n````',
        '',
        '---',
        '',
        'see [here](<https://example.org/a b>)\\\nnext line',
        '',
      ].join('\n'),
    )
  })

  it('shows the letters that were written, not what they would mean', () => {
    expect(copyOf(paragraph('# 1. *no* <b>'))).toBe('\\# 1. \\*no\\* \\<b>\n')
    expect(copyOf(paragraph('3. third'))).toBe('3\\. third\n')
  })

  it('keeps the text of what it does not know', () => {
    expect(copyOf(node('hologram', [paragraph('from the future')]), paragraph(node('mention', ['@Ana'])))).toBe('from the future\n\n@Ana\n')
  })

  it('is empty where nothing is written', () => {
    expect(copyOf()).toBe('\n')
  })
})
