import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { bindTitle, moveCaret, type TitleField } from '../../src/editor/title'

class Field extends EventTarget implements TitleField {
  value = ''
  selectionStart: number | null = 0
  selectionEnd: number | null = 0

  setSelectionRange(start: number, end: number): void {
    this.selectionStart = start
    this.selectionEnd = end
  }

  types(value: string): void {
    this.value = value
    this.setSelectionRange(value.length, value.length)
    this.dispatchEvent(new Event('input'))
  }
}

/** Two people with the same document, each with the title in a field. */
function twoPeople(): { ada: Field; bob: Field; adaDoc: Y.Doc; heard: string[]; leave: () => void } {
  const adaDoc = new Y.Doc()
  const bobDoc = new Y.Doc()
  adaDoc.on('update', (update: Uint8Array, origin: unknown) => origin !== bobDoc && Y.applyUpdate(bobDoc, update, adaDoc))
  bobDoc.on('update', (update: Uint8Array, origin: unknown) => origin !== adaDoc && Y.applyUpdate(adaDoc, update, bobDoc))
  const [ada, bob] = [new Field(), new Field()]
  const heard: string[] = []
  const leave = bindTitle(ada, adaDoc, (title) => heard.push(title))
  bindTitle(bob, bobDoc, () => undefined)
  return { ada, bob, adaDoc, heard, leave }
}

describe('bindTitle', () => {
  it('shows at once what the other types', () => {
    const { ada, bob, heard } = twoPeople()
    bob.types('Plan')
    expect(ada.value).toBe('Plan')
    expect(heard.at(-1)).toBe('Plan')
  })

  it('leaves the caret with the text on its left', () => {
    const { ada, bob } = twoPeople()
    ada.types('Plan B')
    ada.setSelectionRange(6, 6)
    bob.types('Our Plan B')
    expect(ada.selectionStart).toBe(10)
    expect(bob.selectionStart).toBe(10)
  })

  it('does not touch a field in which a word is being composed', () => {
    const { ada, bob } = twoPeople()
    ada.dispatchEvent(new Event('compositionstart'))
    ada.types('にほ')
    bob.types('Plan')
    expect(ada.value).toBe('にほ')
    ada.value = '日本'
    ada.dispatchEvent(new Event('compositionend'))
    expect(bob.value).toBe('日本')
  })

  it('writes nothing when it is bound, and nothing when the text is the same', () => {
    const { ada, adaDoc } = twoPeople()
    ada.dispatchEvent(new Event('input'))
    expect(adaDoc.store.clients.size).toBe(0)
  })

  it('shows nothing for a title that is no text', () => {
    const { ada, adaDoc } = twoPeople()
    adaDoc.getMap('meta').set('title', 7)
    expect(ada.value).toBe('')
  })

  it('stops when it is let go', () => {
    const { ada, bob, leave } = twoPeople()
    leave()
    bob.types('Plan')
    expect(ada.value).toBe('')
    ada.types('Other')
    expect(bob.value).toBe('Plan')
  })
})

describe('moveCaret', () => {
  it.each([
    ['abc', 'abcd', 1, 1],
    ['abc', 'Xabc', 2, 3],
    ['abc', 'abXc', 3, 4],
    ['abc', 'abXc', 2, 2],
    ['abcdef', 'af', 3, 1],
    ['abc', '', 2, 0],
    ['', 'abc', 0, 0],
    ['aaa', 'aaaa', 3, 3],
  ])('from %j to %j moves %i to %i', (before, after, caret, expected) => {
    expect(moveCaret(before, after, caret)).toBe(expected)
  })
})
