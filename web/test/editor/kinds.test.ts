import { describe, expect, it } from 'vitest'
import { isProse, kindOfName, languageOf } from '../../src/editor/kinds'

describe('languageOf', () => {
  it.each([
    ['notes.md', 'markdown'],
    ['src/main.PY', 'python'],
    ['app/index.tsx', 'tsx'],
    ['a.b/c', 'plain'],
    ['archive.tar.gz', 'plain'],
    ['json', 'plain'],
    ['.json', 'json'],
    ['trailing.', 'plain'],
  ])('colours %s as %s', (name, language) => {
    expect(languageOf(name)).toBe(language)
  })

  it('looks at the title where the name says nothing', () => {
    expect(languageOf('x7Gq', 'parser.rs')).toBe('rust')
  })

  it('lets the name decide before the title', () => {
    expect(languageOf('style.css', 'notes.md')).toBe('css')
  })

  it('is not fooled by names of object properties', () => {
    expect(languageOf('x.constructor')).toBe('plain')
    expect(kindOfName('x.toString')).toBeNull()
  })
})

describe('kindOfName', () => {
  it('takes a known extension for plain text, and leaves the rest to a person', () => {
    expect(kindOfName('todo.txt')).toBe('text')
    expect(kindOfName('lib/tides.py')).toBe('text')
    expect(kindOfName('minutes')).toBeNull()
    expect(kindOfName('v1.2')).toBeNull()
  })
})

describe('isProse', () => {
  it('wraps words, not code', () => {
    expect(isProse('markdown')).toBe(true)
    expect(isProse('plain')).toBe(true)
    expect(isProse('python')).toBe(false)
  })
})
