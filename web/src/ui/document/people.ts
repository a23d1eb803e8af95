/** Those present, as round initials, and the small form in which one changes one's own. */
import type { Awareness } from 'y-protocols/awareness'
import { openIdentity, type Identity } from '../../editor/identity'
import { initials, inkOn, MAX_NAME, PALETTE, peoplePresent, type Person } from '../../editor/people'
import { maySignIn, signInHref, type Account } from '../account'
import { accountPanel } from '../account-menu'
import { fill, h } from '../dom'
import { attachPopover } from '../popover'
import '../../style/people.css'

const NARROW = matchMedia('(max-width: 640px)')
const MAX_AVATARS = 5
const MAX_AVATARS_NARROW = 2

export class People {
  readonly element = h('div', { class: 'people' })
  readonly #others = h('ul', { class: 'avatars', 'aria-label': 'Also here' })
  readonly #self = h('button', { type: 'button', class: 'avatar self', 'data-testid': 'avatar', 'data-self': 'true' })
  #awareness: Awareness | null = null

  readonly #identity: Identity

  constructor(
    private readonly account: Account,
    hasUnsaved: () => boolean,
  ) {
    const identity = openIdentity(account.user)
    this.#identity = identity
    this.element.dataset['testid'] = 'avatars'
    this.element.append(this.#self, this.#others)
    attachProfileForm(this.#self, identity, account, hasUnsaved)
    identity.onChange(() => this.#announce())
    NARROW.addEventListener('change', () => this.#draw())
  }

  /** Shows who is present in `awareness`, and says there who we are. */
  follow(awareness: Awareness): void {
    this.#awareness?.off('change', this.#draw)
    this.#awareness = awareness
    awareness.on('change', this.#draw)
    this.#announce()
  }

  #announce(): void {
    this.#awareness?.setLocalStateField('user', this.#identity.profile)
    this.#draw()
  }

  readonly #draw = (): void => {
    const awareness = this.#awareness
    if (awareness === null) return
    const people = peoplePresent(awareness.getStates(), awareness.clientID, { isSignedIn: this.account.user !== null })
    const absent = { ...this.#identity.profile, self: true, verified: false, tabs: 1 }
    const self = people.find((person) => person.self) ?? absent
    const titleOf = (person: Person): string => titleIn(this.account, person)
    paint(this.#self, self, titleOf(self))
    this.#self.setAttribute('aria-label', `${titleOf(self)}: your name and colour`)
    const others = people.filter((person) => !person.self)
    const room = (NARROW.matches ? MAX_AVATARS_NARROW : MAX_AVATARS) - 1
    // "+1" takes as much room as the one it hides.
    const shown = others.length <= room + 1 && !NARROW.matches ? others : others.slice(0, room)
    const hidden = others.slice(shown.length)
    fill(
      this.#others,
      ...shown.map((person) => {
        const avatar = h('li', { class: 'avatar', 'data-testid': 'avatar' })
        avatar.setAttribute('aria-label', titleOf(person))
        avatar.classList.toggle('guest', isGuest(this.account, person))
        return paint(avatar, person, titleOf(person))
      }),
      hidden.length > 0 &&
        h('li', { class: 'avatar overflow', title: hidden.map(titleOf).join('\n') }, `+${hidden.length}`),
    )
  }
}

/** A guest's name is what they say it is. */
function isGuest(account: Account, person: Person): boolean {
  return !account.open && !person.verified
}

function titleIn(account: Account, person: Person): string {
  const remarks = [
    ...(person.self ? ['you'] : []),
    ...(isGuest(account, person) && !person.self ? ['guest'] : []),
    ...(person.tabs > 1 ? [`${person.tabs} tabs`] : []),
  ]
  return remarks.length === 0 ? person.name : `${person.name} (${remarks.join(', ')})`
}

function paint<Avatar extends HTMLElement>(avatar: Avatar, person: Person, title: string): Avatar {
  avatar.style.setProperty('--person', person.color)
  avatar.style.setProperty('--person-ink', inkOn(person.color))
  avatar.title = title
  fill(avatar, initials(person.name), person.tabs > 1 && h('span', { class: 'avatar-tabs', 'aria-hidden': 'true' }, String(person.tabs)))
  return avatar
}

function remarkOf(identity: Identity): string {
  return identity.mayRecolor
    ? 'Your name comes from your sign-in, so that others can rely on it.'
    : 'Your name and colour come from your sign-in, so that others can rely on them.'
}

function attachProfileForm(button: HTMLButtonElement, identity: Identity, account: Account, hasUnsaved: () => boolean): void {
  const name = h('input', {
    ...{ type: 'text', class: 'field', maxlength: MAX_NAME, autocomplete: 'nickname', spellcheck: 'false' },
    ...{ 'aria-label': 'Your name', 'data-testid': 'own-name', disabled: !identity.mayRename },
  })
  const swatches = PALETTE.map((entry) => {
    const swatch = h('input', {
      ...{ type: 'radio', name: 'own-colour', value: entry.color, 'aria-label': entry.name, title: entry.name },
    })
    swatch.style.setProperty('--person', entry.color)
    swatch.addEventListener('change', () => identity.change({ color: entry.color }))
    return swatch
  })
  name.addEventListener('input', () => identity.change({ name: name.value }))
  const form = h(
    'form',
    { class: 'profile' },
    h('label', {}, h('span', {}, 'Your name, as others see it'), name),
    !identity.mayRename && h('p', { class: 'profile-remark', 'data-testid': 'name-remark' }, remarkOf(identity)),
    identity.mayRecolor && h('fieldset', { class: 'swatches' }, h('legend', {}, 'Your colour'), ...swatches),
    maySignIn(account) && h('a', { class: 'button', href: signInHref(account) }, 'Sign in'),
  )
  const popover = attachPopover(
    button,
    'Your name and colour',
    () => {
      const { profile } = identity
      name.value = profile.name
      for (const swatch of swatches) swatch.checked = swatch.value === profile.color
      name.focus()
      name.select()
    },
    form,
    account.user !== null && h('div', { class: 'profile-account' }, ...accountPanel(account, hasUnsaved)),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    popover.close()
  })
}
