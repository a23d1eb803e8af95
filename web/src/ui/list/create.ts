/** Beginning a document: one click, with a name for those who have one in mind. */
import { kindOfName, type DocumentKind } from '../../editor/kinds'
import { ApiError, createDocument, documentUrl, type DocumentInfo } from '../api'
import { fill, h } from '../dom'
import { icon } from '../icons'
import { nameOfTitle } from '../names'
import { reasonOf } from '../words'

export function createPanel(): HTMLElement {
  const title = h('input', {
    ...{ id: 'new-title', type: 'text', placeholder: 'Name a document (optional)', maxlength: 200, autocomplete: 'off' },
    ...{ 'aria-label': 'Name of the new document, optional', 'data-testid': 'new-title' },
  })
  const problem = h('p', { class: 'create-problem', role: 'alert' })
  const buttons = [
    kindButton('rich', 'Rich text', 'Headings, lists, links'),
    kindButton('text', 'Plain text', 'Markdown, notes, code'),
  ]

  async function create(kind: DocumentKind): Promise<void> {
    fill(problem)
    for (const button of buttons) button.disabled = true
    try {
      const made = await createNamed(kind, title.value.trim())
      location.assign(documentUrl(made.name))
    } catch (error) {
      fill(problem, refusalOf(error))
      for (const button of buttons) button.disabled = false
    }
  }
  function kindButton(kind: DocumentKind, label: string, hint: string): HTMLButtonElement {
    return h(
      'button',
      { type: 'button', class: `create-button kind-${kind}`, 'data-testid': `new-${kind}`, onclick: () => void create(kind) },
      icon(kind),
      h('span', { class: 'create-label' }, h('strong', {}, label), h('span', {}, hint)),
    )
  }

  // "Back" may bring this page as it was left, with its buttons disabled.
  addEventListener('pageshow', () => {
    for (const button of buttons) button.disabled = false
  })
  const form = h('form', { class: 'create', 'aria-label': 'New document' }, title, ...buttons, problem)
  form.addEventListener('submit', (event) => event.preventDefault())
  title.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.isComposing) void create(kindOfName(title.value.trim()) ?? 'rich')
  })
  return form
}

function refusalOf(error: unknown): string {
  if (error instanceof ApiError && error.status === 403) return 'Your sign-in does not let you make a document of this name.'
  return reasonOf(error, 'The document could not be created.')
}

/** The address follows the title where it can; where that is taken, the server makes one up. */
async function createNamed(kind: DocumentKind, title: string): Promise<DocumentInfo> {
  const name = nameOfTitle(title)
  if (name === null) return createDocument(title === '' ? { kind } : { kind, title })
  try {
    return await createDocument({ kind, title, name })
  } catch (error) {
    if (error instanceof ApiError && error.status === 409) return createDocument({ kind, title })
    throw error
  }
}
