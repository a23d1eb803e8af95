/** The page of one document: header, banner, toolbar and canvas, around the session that fills them. */
import { openIdentity } from '../../editor/identity'
import { kindOfName } from '../../editor/kinds'
import { MAX_TITLE } from '../../editor/meta'
import type { Surface } from '../../editor/surface'
import { fill, h } from '../dom'
import { icon } from '../icons'
import { shownName } from '../names'
import type { BannerAction } from '../status'
import { themeButton } from '../theme'
import { loadSurface } from './canvas'
import { documentMenu } from './menu'
import { People } from './people'
import { Session } from './session'
import { StatusDisplay } from './status'
import { Toolbar } from './toolbar'
import '../../style/document.css'

export function openDocumentPage(app: HTMLElement, name: string): void {
  // The code of the likely surface comes while the document is still on its way; a wrong guess costs little.
  void loadSurface(kindOfName(name) ?? 'rich').catch(() => undefined)

  const untitled = lastPart(shownName(name))
  const title = h('input', {
    ...{ class: 'title', type: 'text', maxlength: MAX_TITLE, autocomplete: 'off', spellcheck: 'false', readonly: true },
    ...{ placeholder: untitled, 'aria-label': 'Title', 'data-testid': 'title' },
  })
  const canvas = h('main', { class: 'canvas' })
  const toolbar = new Toolbar()
  const people = new People(openIdentity())
  const status = new StatusDisplay(() => session?.here ?? 'nothing', act)
  let surface: Surface | null = null
  let session: Session | null = null

  function act(action: BannerAction): void {
    switch (action) {
      case 'retry':
        session?.retry()
        // The button goes with the banner; whoever pressed it wants to write.
        surface?.focus()
        break
      case 'download':
        void session?.saveCopy()
        break
      case 'fresh':
        void session?.close().then(openSession)
        break
      case 'list':
        location.assign('/')
        break
    }
  }

  function openSession(): void {
    status.notice(null)
    session = new Session(name, { canvas, title }, {
      onStatus: (next) => status.show(next),
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

  document.title = `${untitled} · collabdoc`
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
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}
