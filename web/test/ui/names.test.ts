import { describe, expect, it } from 'vitest'
import { isDocumentName, nameOfPath, nameOfTitle, shownName } from '../../src/ui/names'

describe('nameOfPath', () => {
  it('is the rest of the path, decoded', () => {
    expect(nameOfPath('/d/plan')).toBe('plan')
    expect(nameOfPath('/d/team/2026/plan.md')).toBe('team/2026/plan.md')
    expect(nameOfPath('/d/team%2Fplan')).toBe('team/plan')
    expect(nameOfPath('/d/%C3%BCbung')).toBe('übung')
  })

  it.each(['/', '/d/', '/d', '/x/plan', '/d/a//b', '/d/../x', '/d/a/', '/d/a%20b', '/d/%zz', `/d/${'a'.repeat(201)}`])(
    'is nothing for %s',
    (path) => {
      expect(nameOfPath(path)).toBeNull()
    },
  )
})

describe('isDocumentName', () => {
  it('takes letters of every script, digits and . _ ~ - /', () => {
    expect(isDocumentName('文書/a_b~c-1.2')).toBe(true)
    expect(isDocumentName('a b')).toBe(false)
    expect(isDocumentName('a/./b')).toBe(false)
    expect(isDocumentName('')).toBe(false)
  })
})

describe('nameOfTitle', () => {
  it.each([
    ['Quarterly plan', 'Quarterly-plan'],
    ['Plan für Mai!', 'Plan-für-Mai'],
    ['notes.md', 'notes.md'],
    ['/team//plan/', 'team/plan'],
    ['../../etc', 'etc'],
    ['???', null],
    ['', null],
  ])('makes %j into %j', (title, name) => {
    expect(nameOfTitle(title)).toBe(name)
  })

  it('never makes a name that the server would refuse', () => {
    for (const title of ['a/../b', 'a / b', './x', 'x'.repeat(500), 'a/-/b', '\u0301x']) {
      const name = nameOfTitle(title)
      expect(name === null || isDocumentName(name)).toBe(true)
    }
  })
})

describe('shownName', () => {
  it('hides what the server made up', () => {
    for (const name of ['H4PzAe1ESvYU', 'x7-Gq_2LmZ0b', 'aB3dE5gH7jK9']) expect(shownName(name)).toBe('Untitled')
  })

  it('shows what people chose', () => {
    for (const name of ['meetingNotes', 'plan-2024-q1', 'README', 'Field-notes-', 'notes.md', 'Übung']) expect(shownName(name)).toBe(name)
  })
})
