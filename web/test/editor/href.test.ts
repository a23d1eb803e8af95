import { describe, expect, it } from 'vitest'
import { hrefOfInput, safeHref } from '../../src/editor/rich/href'

describe('safeHref', () => {
  it.each(['https://example.org/a?b#c', 'http://x', 'mailto:a@b.c', 'tel:+41', '/d/plan', 'notes.md', '#top', '//cdn.example'])(
    'takes %s',
    (href) => {
      expect(safeHref(href)).toBe(href)
    },
  )

  it.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    'java\tscript:alert(1)',
    '\u0001javascript:alert(1)',
    'java\u200bscript:alert(1)',
    'data:text/html,<script>',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://example.org/x',
    '\\\\server\\share',
    '',
  ])('refuses %j', (href) => {
    expect(safeHref(href)).toBeNull()
  })
})

describe('hrefOfInput', () => {
  it.each([
    ['example.org', 'https://example.org'],
    ['example.org:8080/x?y', 'https://example.org:8080/x?y'],
    ['ada@example.org', 'mailto:ada@example.org'],
    ['localhost:8080/d/x', 'http://localhost:8080/d/x'],
    ['https://example.org', 'https://example.org'],
    ['/d/plan', '/d/plan'],
    ['javascript:alert(1)', null],
    ['  ', null],
  ])('understands %j as %j', (input, href) => {
    expect(hrefOfInput(input)).toBe(href)
  })
})
