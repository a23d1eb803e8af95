/** Where the status is shown: the pill in the header, the banner under it, and one quiet voice for screen readers. */
import type { Status } from '../../sync/status'
import { fill, h } from '../dom'
import { icon } from '../icons'
import { bannerOf, countsDown, pillOf, type Asker, type Banner, type BannerAction, type Here } from '../status'

const TICK_MS = 250

const ACTIONS: Readonly<Record<BannerAction, { label: string; testId: string }>> = {
  retry: { label: 'Retry now', testId: 'retry-now' },
  again: { label: 'Try again', testId: 'try-again' },
  'sign-in': { label: 'Sign in', testId: 'to-sign-in' },
  copy: { label: 'Copy my text', testId: 'copy-text' },
  download: { label: 'Download my copy', testId: 'download-copy' },
  discard: { label: 'Discard…', testId: 'discard' },
  fresh: { label: 'Open the current version', testId: 'open-fresh' },
  list: { label: 'All documents', testId: 'to-list' },
}

export class StatusDisplay {
  readonly pill = h('span', { class: 'status', 'data-testid': 'status' })
  readonly banner = h('div', { class: 'banner', hidden: true })
  readonly voice = h('div', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' })
  #status: Status = { kind: 'connecting' }
  #shown: Banner | null = null
  #notice: string | null = null
  #ticking: ReturnType<typeof setInterval> | undefined

  constructor(
    private readonly asker: Asker,
    private readonly here: () => Here,
    /** Does what a button says; a word for the button where there is something to tell. */
    private readonly act: (action: BannerAction) => Promise<string | void> | void,
  ) {}

  show(status: Status): void {
    const changed = status.kind !== this.#status.kind
    this.#status = status
    clearInterval(this.#ticking)
    if (countsDown(status)) this.#ticking = setInterval(() => this.#draw(), TICK_MS)
    this.#draw()
    if (changed) this.#speak()
  }

  /** A standing remark about the document itself, shown while the line has nothing to say. */
  notice(text: string | null): void {
    this.#notice = text
    this.#draw()
    if (text !== null) this.#speak()
  }

  #draw(): void {
    const pill = pillOf(this.#status, Date.now())
    this.pill.dataset['status'] = this.#status.kind
    this.pill.dataset['tone'] = pill.tone
    if (this.pill.textContent !== pill.text + pill.more) {
      const isReader = this.#status.kind === 'readonly'
      fill(this.pill, isReader && icon('eye'), h('span', {}, pill.text, pill.more !== '' && h('span', { class: 'status-more' }, pill.more)))
    }
    const banner = bannerOf(this.#status, Date.now(), this.here(), this.#shown, this.asker)
    this.#shown = banner
    this.#drawBanner(banner ?? (this.#notice === null ? null : { tone: 'warn', text: this.#notice, actions: [] }))
  }

  #drawBanner(banner: Banner | null): void {
    this.banner.hidden = banner === null
    if (banner === null) {
      fill(this.banner)
      delete this.banner.dataset['testid']
      return
    }
    this.banner.dataset['testid'] = 'banner'
    this.banner.dataset['tone'] = banner.tone
    const key = banner.actions.join()
    const text = this.banner.firstElementChild
    // The countdown rewrites the words alone, so that a button keeps its focus and can be pressed.
    if (text !== null && this.banner.dataset['actions'] === key) {
      if (text.textContent !== banner.text) text.textContent = banner.text
      return
    }
    this.banner.dataset['actions'] = key
    const buttons = banner.actions.map((action) => this.#button(action))
    fill(this.banner, h('p', {}, banner.text), buttons.length > 0 && h('div', { class: 'banner-actions' }, ...buttons))
  }

  #button(action: BannerAction): HTMLElement {
    const { label, testId } = ACTIONS[action]
    const button = h('button', { type: 'button', class: 'button', 'data-testid': testId }, label)
    button.addEventListener('click', () => {
      void Promise.resolve(this.act(action)).then((words) => words !== undefined && fill(button, words))
    })
    return button
  }

  #speak(): void {
    this.voice.textContent = this.#shown?.text ?? this.#notice ?? this.pill.textContent
  }
}
