/**
 * Sharing a document: make a link, see which there are, take one back.
 *
 * A link's token is shown once, in the field where it can be copied; the server itself keeps only its hash.
 */
import { ApiError, createLink, deleteLink, listLinks, type ShareLink } from '../api'
import { copyText } from '../clipboard'
import { openDialog } from '../dialog'
import { fill, h, type Child } from '../dom'
import { icon } from '../icons'
import { reasonOf } from '../words'
import { endInWords, holderOf, LINK_ROLES, madeInWords, roleInWords, SPANS, USUAL_SPAN_S } from './words'
import '../../style/share.css'

const MAX_LABEL = 100

export function openShareDialog(name: string, title: string): void {
  const list = new LinkList(name)
  frame(
    title,
    linkForm(name, (link) => list.add(link)),
    h('h3', { id: 'share-list-title', tabindex: '-1' }, 'Shared with'),
    list.element,
    list.voice,
  )
  void list.load()
}

function frame(title: string, ...content: Child[]): void {
  const close = h('button', { type: 'button', class: 'icon-button', 'aria-label': 'Close', title: 'Close', 'data-testid': 'share-close', onclick: () => dialog.close() }, icon('close'))
  const dialog: HTMLDialogElement = openDialog(
    { class: 'share', 'aria-labelledby': 'share-title', 'data-testid': 'share-dialog' },
    h('header', { class: 'share-header' }, h('h2', { id: 'share-title' }, `Share “${title}”`), close),
    ...content,
  )
}

function linkForm(name: string, onMade: (link: ShareLink) => void): HTMLElement {
  const roles = LINK_ROLES.map((value) =>
    h(
      'label',
      {},
      h('input', { type: 'radio', name: 'share-role', value, checked: value === 'read', autofocus: value === 'read', 'data-testid': `share-${value}` }),
      h('span', {}, roleInWords(value)),
    ),
  )
  const label = h('input', { type: 'text', class: 'field', maxlength: MAX_LABEL, autocomplete: 'off', 'data-testid': 'share-label' })
  const span = h(
    'select',
    { class: 'field', 'data-testid': 'share-span' },
    ...SPANS.map((each) => h('option', { value: String(each.seconds), selected: each.seconds === USUAL_SPAN_S }, each.label)),
  )
  const make = h('button', { type: 'submit', class: 'button primary', 'data-testid': 'share-make' }, 'Make a link')
  const problem = h('p', { class: 'dialog-problem', role: 'alert' })
  const made = h('div', { class: 'share-made' })
  const form = h(
    'form',
    { class: 'share-form' },
    h('fieldset', { class: 'segments' }, h('legend', { class: 'visually-hidden' }, 'What the link allows'), ...roles),
    h('p', { class: 'share-remark share-no-comments' }, 'There are no comments yet: until there are, this link lets people read.'),
    h('label', { class: 'share-span' }, h('span', {}, 'Ends'), span),
    h('label', { class: 'share-label' }, h('span', {}, 'Who is it for? (optional)'), label),
    make,
    problem,
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void submit()
  })
  async function submit(): Promise<void> {
    const chosen = new FormData(form).get('share-role')
    const permission = LINK_ROLES.find((role) => role === chosen) ?? 'read'
    const expires_in_s = span.value === 'null' ? null : Number(span.value)
    fill(problem)
    make.disabled = true
    try {
      const { path, ...link } = await createLink(name, { permission, label: label.value.trim(), expires_in_s })
      const shown = addressField('The new link', location.origin + path, 'Copy')
      fill(made, shown.element, h('p', { class: 'share-remark' }, 'Copy it now: it is shown only this once.'))
      label.value = ''
      shown.focus()
      onMade(link)
    } catch (error) {
      fill(problem, reasonOf(error, 'The link could not be made.'))
    } finally {
      make.disabled = false
    }
  }
  return h('div', {}, form, made)
}

/** An address that is there to be copied; `focus` selects it, so that it can be copied by hand, too. */
function addressField(label: string, address: string, action: string): { element: HTMLElement; focus: () => void } {
  const field = h('input', { type: 'text', class: 'field', readonly: true, value: address, 'aria-label': label, 'data-testid': 'share-address' })
  const words = h('span', {}, action)
  const copy = h('button', { type: 'button', class: 'button', 'data-testid': 'share-copy' }, icon('copy'), words)
  const focus = (): void => {
    field.focus()
    field.select()
  }
  field.addEventListener('focus', () => field.select())
  copy.addEventListener('click', () => {
    void copyText(address).then((done) => {
      words.textContent = done ? 'Copied' : 'Press Ctrl+C'
      if (!done) focus()
    })
  })
  return { element: h('div', { class: 'share-address' }, field, copy), focus }
}

class LinkList {
  readonly element = h('div', { class: 'share-list', 'data-testid': 'share-list', 'aria-busy': 'true' })
  /** Says what has happened to whoever cannot see it. */
  readonly voice = h('p', { class: 'share-voice', role: 'status', 'data-testid': 'share-voice' })
  #links: readonly ShareLink[] = []

  constructor(private readonly name: string) {
    fill(this.element, h('p', { class: 'share-remark' }, 'Loading…'))
  }

  async load(): Promise<void> {
    this.element.setAttribute('aria-busy', 'true')
    try {
      const listed = await listLinks(this.name)
      // One that was made meanwhile is in none that was asked for before.
      this.#links = [...this.#links.filter((link) => listed.every(({ id }) => id !== link.id)), ...listed]
      this.#draw()
    } catch (error) {
      const again = h('button', { type: 'button', class: 'button', onclick: () => void this.load() }, 'Try again')
      const words = reasonOf(error, 'The links could not be listed.')
      fill(this.element, h('p', { class: 'dialog-problem', role: 'alert' }, words), again)
    } finally {
      this.element.setAttribute('aria-busy', 'false')
    }
  }

  add(link: ShareLink): void {
    this.#links = [link, ...this.#links.filter((other) => other.id !== link.id)]
    this.voice.textContent = ''
    this.#draw()
  }

  #draw(): void {
    if (this.#links.length === 0) {
      fill(this.element, h('p', { class: 'share-remark', 'data-testid': 'share-empty' }, 'No link leads here yet.'))
      return
    }
    const now = new Date()
    fill(this.element, h('ul', { 'aria-labelledby': 'share-list-title' }, ...this.#links.map((link) => this.#row(link, now))))
  }

  #row(link: ShareLink, now: Date): HTMLElement {
    const holder = holderOf(link.label)
    const back = h(
      'button',
      { type: 'button', class: 'button', 'aria-label': `Take back the link for ${holder}`, 'data-testid': 'share-take-back' },
      'Take back',
    )
    const row = h(
      'li',
      { class: 'share-row', 'data-testid': 'share-row' },
      h('span', { class: 'share-icon', 'aria-hidden': 'true' }, icon('link')),
      h(
        'div',
        { class: 'share-text' },
        h('strong', {}, holder),
        h('span', {}, `${roleInWords(link.permission)} · ${endInWords(link.expires_at, now)}`),
        h('span', { class: 'share-made-by' }, madeInWords(link, now)),
      ),
      back,
    )
    back.addEventListener('click', () => this.#confirm(link, row, back))
    return row
  }

  /** Asks in the row itself: a dialog over a dialog would hide which link is meant. */
  #confirm(link: ShareLink, row: HTMLElement, back: HTMLButtonElement): void {
    const confirm = h('button', { type: 'button', class: 'button danger', 'data-testid': 'share-confirm' }, 'Take back')
    const keep = h('button', { type: 'button', class: 'button' }, 'Keep')
    const question = h(
      'div',
      { class: 'share-question' },
      h('p', {}, 'Whoever came by this link loses access at once.'),
      keep,
      confirm,
    )
    const answerNo = (): void => {
      question.remove()
      back.hidden = false
      back.focus()
    }
    keep.addEventListener('click', answerNo)
    question.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return
      // Escape answers the question; the dialog around it stays.
      event.preventDefault()
      answerNo()
    })
    confirm.addEventListener('click', () => void this.#takeBack(link, confirm))
    back.hidden = true
    row.append(question)
    keep.focus()
  }

  async #takeBack(link: ShareLink, button: HTMLButtonElement): Promise<void> {
    button.disabled = true
    try {
      await deleteLink(this.name, link.id)
    } catch (error) {
      // It has ended by itself, or somebody else was faster: what was asked for is so.
      if (!(error instanceof ApiError && error.status === 404)) {
        this.voice.textContent = reasonOf(error, 'The link could not be taken back.')
        button.disabled = false
        button.focus()
        return
      }
    }
    const at = this.#links.findIndex(({ id }) => id === link.id)
    this.#links = this.#links.filter(({ id }) => id !== link.id)
    this.#draw()
    this.voice.textContent = `Taken back: the link for ${holderOf(link.label)} opens nothing any more.`
    this.#focusNear(at)
  }

  /** The button that was pressed is gone; the next one is where the focus is looked for. */
  #focusNear(at: number): void {
    const buttons = this.element.querySelectorAll<HTMLButtonElement>('[data-testid=share-take-back]')
    const near = buttons[Math.min(at, buttons.length - 1)]
    if (near === undefined) document.getElementById('share-list-title')?.focus()
    else near.focus()
  }
}
