/** The page of one document: header, banner, toolbar and canvas, around the session that fills them. */
import { kindOfName } from '../../editor/kinds'
import { MAX_TITLE } from '../../editor/meta'
import type { Surface } from '../../editor/surface'
import { mayEdit, type Status } from '../../sync/status'
import { askAccount, onOtherTabs, ownerOf, signInHref, type Account } from '../account'
import { fill, h } from '../dom'
import { icon } from '../icons'
import { shownName } from '../names'
import { ShareButton } from '../share/button'
import type { Asker, BannerAction } from '../status'
import { themeButton } from '../theme'
import { loadSurface } from './canvas'
import { bequeath, inherits } from './heir'
import { confirmDiscard } from './discard'
import { documentMenu } from './menu'
import { People } from './people'
import { Session } from './session'
import { StatusDisplay } from './status'
import { Toolbar } from './toolbar'
import '../../style/document.css'

const SIGN_IN = 4401

export async function openDocumentPage(app: HTMLElement, name: string, asking: Promise<Account>): Promise<void> {
  // The code of the likely surface comes while the document is still on its way; a wrong guess costs little.
  void loadSurface(kindOfName(name) ?? 'rich').catch(() => undefined)
  const account = await asking

  const untitled = lastPart(shownName(name))
  const title = h('input', {
    ...{ class: 'title', type: 'text', maxlength: MAX_TITLE, autocomplete: 'off', spellcheck: 'false', readonly: true },
    ...{ placeholder: untitled, 'aria-label': 'Title', 'data-testid': 'title' },
  })
  const canvas = h('main', { class: 'canvas' })
  const toolbar = new Toolbar()
  const people = new People(account, () => session?.unsaved === true)
  const share = new ShareButton(name, account, () => title.value || untitled)
  const status = new StatusDisplay(askerOf(account), () => session?.here ?? 'nothing', act)
  const renewal = new Renewal(account)
  let surface: Surface | null = null
  let session: Session | null = null

  async function act(action: BannerAction): Promise<string | void> {
    switch (action) {
      case 'retry':
        session?.retry()
        // The button goes with the banner; whoever pressed it wants to write.
        surface?.focus()
        break
      case 'again':
        session?.again()
        break
      case 'sign-in':
        await leave()
        location.assign(signInHref(account))
        break
      case 'copy':
        return (await session?.copyText()) ? 'Copied' : 'No clipboard here'
      case 'download':
        session?.saveCopy()
        break
      case 'discard':
        confirmDiscard(() => void session?.discard().then(openSession))
        break
      case 'fresh':
        await session?.close().then(openSession)
        break
      case 'list':
        location.assign('/')
        break
    }
  }

  /** What was typed is kept on this device, for whoever this tab belongs to next. */
  async function leave(): Promise<void> {
    if (session?.unsaved && askerOf(account) === 'guest') bequeath(name)
    await session?.flush()
  }

  function openSession(): void {
    status.notice(null)
    session = null
    const isHeir = account.user !== null && inherits(name)
    session = new Session(name, { user: ownerOf(account), ...(isHeir && { heirOf: '' }) }, { canvas, title }, {
      onStatus: show,
      onTitle: (text) => (document.title = `${text || untitled} · collabdoc`),
      onSurface(next) {
        surface = next
        toolbar.show(next)
      },
      onChange: () => toolbar.refresh(),
      onNotice: (text) => status.notice(text),
    })
    people.follow(session.awareness)
  }

  function show(next: Status): void {
    if (next.kind === 'refused' && isNobody(next)) {
      void askWho(next.reason)
      return
    }
    status.show(next)
    app.dataset['mode'] = mayEdit(next) ? 'write' : 'read'
    const isOpen = next.kind === 'saved' || next.kind === 'readonly'
    // Nothing is stored yet of a document that has no kind.
    if (isOpen && session?.description.kind) void share.ask()
    else if (next.kind === 'refused' || next.kind === 'reconnecting') share.forget()
    if (next.kind === 'refused' && next.code === SIGN_IN) void renewal.look(() => session?.again())
  }

  /** Nobody is signed in, and nothing is here that they could want to keep. */
  function isNobody({ code, unsaved }: { code: number; unsaved: boolean }): boolean {
    return code === SIGN_IN && account.user === null && !unsaved && session?.here === 'nothing'
  }

  /** In this page's place, so that whoever has signed in, here or in another tab, comes back to it by loading it anew. */
  async function askWho(reason: string): Promise<void> {
    await session?.close()
    const { openSignInPage } = await import('../sign-in/page')
    await openSignInPage(app, { token: null, next: location.pathname + location.search, reason })
  }

  document.title = `${untitled} · collabdoc`
  app.dataset['accounts'] = String(!account.open)
  toolbar.show(null)
  fill(
    app,
    h(
      'header',
      { class: 'document-header' },
      h('a', { class: 'icon-button', href: '/', 'aria-label': 'All documents', title: 'All documents', 'data-testid': 'back' }, icon('back')),
      title,
      status.pill,
      people.element,
      share.element,
      themeButton(),
      ...documentMenu(name, () => session?.description ?? { kind: null, title: '' }),
    ),
    status.banner,
    toolbar.element,
    canvas,
    status.voice,
  )
  openSession()

  title.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.isComposing) return
    event.preventDefault()
    surface?.focus()
  })
  canvas.addEventListener('keydown', (event) => {
    if (toolbar.ask(event)) event.preventDefault()
  })
  addEventListener('beforeunload', (event) => {
    if (session?.wouldLoseEdits) event.preventDefault()
  })
  onOtherTabs((news) => {
    if (news === 'renewed') session?.again()
    else void leave().then(() => location.reload())
  })
}

/** A sign-in that ended here may have been renewed meanwhile, by another tab or by the operator's proxy. */
class Renewal {
  #expiresAt: string | null

  constructor(private readonly account: Account) {
    this.#expiresAt = account.expires_at
  }

  /** Calls `go` where the same user is signed in for longer than was known. */
  async look(go: () => void): Promise<void> {
    if (this.account.user === null) return
    const now = await askAccount()
    if (now?.user?.id !== this.account.user.id || now.expires_at === this.#expiresAt) return
    this.#expiresAt = now.expires_at
    go()
  }
}

/** Whoever was signed in here last is taken to be the one who asks, also when that has expired. */
function askerOf(account: Account): Asker {
  if (account.open) return 'everybody'
  return ownerOf(account) === '' ? 'guest' : 'user'
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}
