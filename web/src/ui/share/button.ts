/** Opens the share dialog; there only for those who may administer the document. */
import type { Account } from '../account'
import { describeDocument } from '../api'
import { h } from '../dom'
import { icon } from '../icons'
import { openShareDialog } from './dialog'

export class ShareButton {
  readonly element = h(
    'button',
    { type: 'button', class: 'button share-button', hidden: true, title: 'Share', 'data-testid': 'share', 'aria-haspopup': 'dialog' },
    icon('share'),
    h('span', {}, 'Share'),
  )
  #asked = false

  constructor(
    private readonly name: string,
    private readonly account: Account,
    title: () => string,
  ) {
    this.element.addEventListener('click', () => openShareDialog(name, title()))
  }

  /** The server has the document: ask it, once for each time it is opened, what we may do there. */
  async ask(): Promise<void> {
    if (this.#asked || this.account.open) return
    this.#asked = true
    try {
      this.element.hidden = (await describeDocument(this.name)).permission !== 'admin'
    } catch {
      this.#asked = false
    }
  }

  /** What we may do is in doubt until the document is open again. */
  forget(): void {
    this.#asked = false
    this.element.hidden = true
  }
}
