/**
 * The list of documents: find one, begin one, remove one.
 *
 * The server searches and orders; the page shows its newest answer and throws older ones away.
 */
import { maySignIn, onOtherTabs, ownerOf, signInHref, type Account } from '../account'
import { accountMenu } from '../account-menu'
import { ApiError, listDocuments, type DocumentInfo, type DocumentList } from '../api'
import { brand } from '../brand'
import { fill, h } from '../dom'
import { icon } from '../icons'
import { themeButton } from '../theme'
import { periodOf } from '../time'
import { reasonOf } from '../words'
import { createPanel } from './create'
import { confirmDelete } from './delete'
import { documentRow } from './row'
import '../../style/list.css'

const PAGE_SIZE = 50
const TYPING_PAUSE_MS = 160

export function openListPage(app: HTMLElement, account: Account): void {
  document.title = 'Documents · collabdoc'
  const search = h('input', {
    ...{ id: 'search', type: 'search', placeholder: 'Search by title', autocomplete: 'off', spellcheck: 'false' },
    ...{ 'aria-label': 'Search documents by title', 'data-testid': 'search' },
  })
  const results = h('div', { class: 'results', 'data-testid': 'document-list', 'aria-busy': 'true' })
  const found = h('p', { class: 'visually-hidden', role: 'status' })
  fill(
    app,
    h(
      'header',
      { class: 'list-header' },
      brand(),
      h('div', { class: 'list-tools' }, themeButton(), accountMenu(account)),
    ),
    h(
      'main',
      { class: maySignIn(account) ? 'list-main guest' : 'list-main' },
      h('h1', {}, 'Documents'),
      account.may_create && createPanel(),
      h('div', { class: 'search' }, icon('search'), search, h('kbd', { 'aria-hidden': 'true' }, '/')),
      found,
      results,
    ),
  )
  const listing = new Listing(results, found, account, () => search.value.trim())

  let pause: ReturnType<typeof setTimeout> | undefined
  search.addEventListener('input', () => {
    clearTimeout(pause)
    pause = setTimeout(() => void listing.load(), TYPING_PAUSE_MS)
  })
  addEventListener('keydown', (event) => {
    const typing = event.target instanceof Element && event.target.closest('input, textarea, dialog')
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    search.focus()
  })
  // Coming back to the page, by "back" or by its tab, should show what was just written.
  addEventListener('pageshow', (event) => {
    if (event.persisted) void listing.load()
  })
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void listing.load()
  })
  // Somebody else's documents must not stay on the screen, nor a list without those of whoever has come back.
  onOtherTabs(() => location.reload())
  void listing.load()
}

class Listing {
  #documents: readonly DocumentInfo[] = []
  #total = 0
  #asked = new AbortController()

  constructor(
    private readonly results: HTMLElement,
    private readonly found: HTMLElement,
    private readonly account: Account,
    private readonly query: () => string,
  ) {
    fill(results, ...Array.from({ length: 5 }, () => h('div', { class: 'row skeleton-row', 'aria-hidden': 'true' })))
  }

  /** Asks anew, for as many documents as are shown now. */
  async load(): Promise<void> {
    const answer = await this.#ask(Math.max(PAGE_SIZE, this.#documents.length), 0)
    if (answer === null) return
    this.#documents = answer.documents
    this.#show(answer.total)
  }

  async #more(): Promise<void> {
    const answer = await this.#ask(PAGE_SIZE, this.#documents.length)
    if (answer === null) return
    // A document that changed meanwhile has moved to the front and pushed another onto this page: show each once.
    const known = new Set(this.#documents.map((entry) => entry.name))
    this.#documents = [...this.#documents, ...answer.documents.filter((entry) => !known.has(entry.name))]
    this.#show(answer.total)
  }

  async #ask(limit: number, offset: number): Promise<DocumentList | null> {
    this.#asked.abort()
    const asked = (this.#asked = new AbortController())
    this.results.setAttribute('aria-busy', 'true')
    try {
      return await listDocuments(this.query(), limit, offset, asked.signal)
    } catch (error) {
      if (!asked.signal.aborted) this.#showError(error)
      return null
    } finally {
      if (this.#asked === asked) this.results.setAttribute('aria-busy', 'false')
    }
  }

  #show(total: number): void {
    this.#total = total
    const query = this.query()
    this.found.textContent = query === '' ? '' : `${total} ${total === 1 ? 'document' : 'documents'} found`
    if (this.#documents.length === 0) {
      fill(this.results, query !== '' ? nothingFound(query) : this.#emptiness())
      return
    }
    fill(this.results, ...this.#groups(), this.#documents.length < total && this.#moreButton())
  }

  #emptiness(): HTMLElement {
    if (maySignIn(this.account)) return nothingShared(this.account)
    return this.account.may_create ? invitation() : nothingToRead()
  }

  #groups(): HTMLElement[] {
    const now = new Date()
    const groups = new Map<string, HTMLElement[]>()
    for (const entry of this.#documents) {
      const period = periodOf(entry.updated_at === null ? null : new Date(entry.updated_at), now)
      const rows = groups.get(period) ?? []
      // A damaged one is left for its repair.
      const mayDelete = (this.account.open || entry.permission === 'admin') && !entry.damaged
      rows.push(h('li', {}, documentRow(entry, now, mayDelete ? () => this.#remove(entry) : null)))
      groups.set(period, rows)
    }
    return [...groups].map(([period, rows]) =>
      h('section', {}, h('h2', {}, period), h('ul', { class: 'rows' }, ...rows)),
    )
  }

  #moreButton(): HTMLElement {
    const left = this.#total - this.#documents.length
    return h('button', { type: 'button', class: 'button more', onclick: () => void this.#more() }, `Show more (${left})`)
  }

  #remove(entry: DocumentInfo): void {
    confirmDelete(entry, () => {
      this.#documents = this.#documents.filter((other) => other.name !== entry.name)
      this.#show(this.#total - 1)
      this.found.textContent = `Deleted ${entry.title || entry.name}`
    })
  }

  #showError(error: unknown): void {
    if (error instanceof ApiError && error.status === 401) {
      // Nothing failed: there is just nobody yet to show anything to.
      this.results.closest('main')?.classList.add('signed-out')
      fill(this.results, signInInvitation(this.account))
      return
    }
    const message = reasonOf(error, 'Something in this page went wrong. Reloading may help.')
    fill(
      this.results,
      h(
        'div',
        { class: 'notice', role: 'alert' },
        h('h2', {}, 'The list could not be loaded'),
        h('p', {}, message),
        h('button', { type: 'button', class: 'button primary', onclick: () => void this.load() }, 'Try again'),
      ),
    )
  }
}

function invitation(): HTMLElement {
  return h(
    'div',
    { class: 'notice' },
    h('div', { class: 'notice-art', 'aria-hidden': 'true' }, icon('rich'), icon('text')),
    h('h2', {}, 'A blank page is waiting'),
    h('p', {}, 'Begin a document above, then send its address to the people you write with. Everybody sees every letter at once.'),
  )
}

function signInInvitation(account: Account): HTMLElement {
  const hasExpired = ownerOf(account) !== ''
  return h(
    'div',
    { class: 'notice', 'data-testid': 'sign-in-invitation' },
    h('div', { class: 'notice-art', 'aria-hidden': 'true' }, icon('rich'), icon('text')),
    h('h2', {}, hasExpired ? 'Your sign-in has expired' : 'Sign in to see your documents'),
    h('p', {}, 'Documents that were shared with you by a link open without signing in, by that link.'),
    h('a', { class: 'button primary', href: signInHref(account) }, 'Sign in'),
  )
}

function nothingShared(account: Account): HTMLElement {
  return h(
    'div',
    { class: 'notice' },
    h('h2', {}, 'Nothing is shared with you yet'),
    h('p', {}, 'What you open by a share link is listed here. Your own documents appear when you sign in.'),
    h('a', { class: 'button primary', href: signInHref(account) }, 'Sign in'),
  )
}

function nothingToRead(): HTMLElement {
  return h(
    'div',
    { class: 'notice' },
    h('h2', {}, 'There is nothing for you to read yet'),
    h('p', {}, 'Documents that you may open are listed here as soon as somebody has made them.'),
  )
}

function nothingFound(query: string): HTMLElement {
  return h('div', { class: 'notice' }, h('h2', {}, 'Nothing found'), h('p', {}, `No title contains “${query}”.`))
}
