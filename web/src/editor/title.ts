/**
 * Binds a one-line input to a shared title.
 *
 * 1. What a person types is written at once; what others type appears at once, and the caret stays where it was.
 * 2. While an input method composes a word, the field is left alone; the composed title is written when it ends.
 */
import type * as Y from 'yjs'
import { MAX_TITLE, metaOf } from './meta'

/** The part of HTMLInputElement that a title needs. */
export interface TitleField {
  value: string
  readonly selectionStart: number | null
  readonly selectionEnd: number | null
  setSelectionRange(start: number, end: number): void
  addEventListener(type: string, listener: (event: Event) => void): void
  removeEventListener(type: string, listener: (event: Event) => void): void
}

/** Connects `field` with the document's title until the returned function is called. */
export function bindTitle(field: TitleField, doc: Y.Doc, onChange: (title: string) => void): () => void {
  const meta = metaOf(doc)
  let composing = false

  const show = (): void => {
    const stored = meta.get('title')
    const title = typeof stored === 'string' ? stored : ''
    onChange(title)
    if (composing || field.value === title) return
    const { value, selectionStart, selectionEnd } = field
    field.value = title
    if (selectionStart === null || selectionEnd === null) return
    field.setSelectionRange(moveCaret(value, title, selectionStart), moveCaret(value, title, selectionEnd))
  }
  const write = (): void => {
    if (composing) return
    const title = field.value.slice(0, MAX_TITLE)
    if (title !== (meta.get('title') ?? '')) meta.set('title', title)
  }
  const startComposing = (): void => {
    composing = true
  }
  const stopComposing = (): void => {
    composing = false
    write()
    show()
  }

  field.addEventListener('input', write)
  field.addEventListener('compositionstart', startComposing)
  field.addEventListener('compositionend', stopComposing)
  meta.observe(show)
  show()
  return () => {
    field.removeEventListener('input', write)
    field.removeEventListener('compositionstart', startComposing)
    field.removeEventListener('compositionend', stopComposing)
    meta.unobserve(show)
  }
}

/** Where a caret at `caret` in `before` belongs in `after`: it stays with the text on its left. */
export function moveCaret(before: string, after: string, caret: number): number {
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && before[start] === after[start]) start++
  if (caret <= start) return caret
  let end = 0
  while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end++
  const fromEnd = before.length - caret
  return fromEnd <= end ? after.length - fromEnd : after.length - end
}
