import { expect, it } from 'vitest'
import { fileNameOf } from '../../src/ui/document/file-name'

it.each([
  ['notes/plan', '', 'md', 'plan.md'],
  ['notes/plan', 'The plan: final?', 'md', 'The plan- final-.md'],
  ['lib/tides.py', '', '', 'tides.py'],
  ['notes', '', '', 'notes.txt'],
  ['plan.md', '', 'md', 'plan.md'],
  ['x', '///', 'html', '-.html'],
])('names a download of %j, titled %j, as %j says: %s', (name, title, extension, file) => {
  expect(fileNameOf(name, title, extension)).toBe(file)
})
