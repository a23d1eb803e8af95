/** Where a share link leads: its token is exchanged for a cookie, and the document it opens takes the page's place. */
import { signIn } from '../account'
import { documentUrl } from '../api'
import { fill, h, type Child } from '../dom'
import { mayWorkLater, reasonOf } from '../words'

export function openSharePage(app: HTMLElement, token: string | null): void {
  document.title = 'Shared document · collabdoc'
  if (token === null) {
    show(app, 'This link is not complete', 'The part behind its “#” is missing. Ask for the whole link once more.')
    return
  }
  void open(app, token)
}

async function open(app: HTMLElement, token: string): Promise<void> {
  fill(app, h('main', { class: 'lost' }, h('p', { role: 'status', 'data-testid': 'share-opening' }, 'Opening the shared document…')))
  try {
    const { document: name } = await signIn(token)
    location.replace(name === null ? '/' : documentUrl(name))
  } catch (error) {
    const words = reasonOf(error, 'The link could not be opened.')
    if (mayWorkLater(error)) {
      const again = h('button', { type: 'button', class: 'button primary', onclick: () => void open(app, token) }, 'Try again')
      show(app, 'The shared document could not be opened', words, again)
    } else {
      show(app, 'This link does not open a document', words)
    }
  }
}

function show(app: HTMLElement, headline: string, words: string, action: Child = null): void {
  const isFirst = action === null
  fill(
    app,
    h(
      'main',
      { class: 'lost', 'data-testid': 'share-refused' },
      h('h1', {}, headline),
      h('p', { role: 'alert' }, words),
      h(
        'div',
        { class: 'lost-actions' },
        action,
        h('a', { class: isFirst ? 'button primary' : 'button', href: '/' }, 'All documents'),
        h('a', { class: 'button', href: '/sign-in' }, 'Sign in'),
      ),
    ),
  )
}
