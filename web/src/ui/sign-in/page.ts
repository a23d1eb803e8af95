/**
 * Signing in: with the operator's own page where there is one, and with a token.
 *
 * The token is handed to the server, which answers with a cookie; the page keeps it nowhere else.
 */
import { ownerOf, readAccount, signIn, signOut, type Account } from '../account'
import { isShareToken, safeNext, signInAddress, tokenIn } from '../address'
import { ApiError, documentUrl } from '../api'
import { brand } from '../brand'
import { fill, h } from '../dom'
import { icon } from '../icons'
import { themeButton } from '../theme'
import { asSentence, mayWorkLater, reasonOf } from '../words'
import '../../style/sign-in.css'

const COMMAND = "collabdoc token --user ana --docs 'notes/*=write'"

export interface Wish {
  /** From the address; tried at once. */
  readonly token: string | null
  /** Where to go afterwards, as an address asked for it. */
  readonly next: string | null
  /** Why somebody is asked, in the server's words. */
  readonly reason?: string
}

export async function openSignInPage(app: HTMLElement, { token, next, reason }: Wish): Promise<void> {
  document.title = 'Sign in · collabdoc'
  const goal = safeNext(next, location.origin)
  const card = h('main', { class: 'sign-in-card', 'data-testid': 'sign-in' })
  fill(app, h('div', { class: 'sign-in' }, h('header', { class: 'sign-in-header' }, brand(), themeButton()), card))
  const form = new TokenForm(goal)
  const account = await readAccount()
  if (token !== null) {
    if (account.user === null) {
      fill(card, h('h1', {}, 'Signing in…'))
      if (await form.exchange(token)) return
    } else {
      // Whose token an address brings is not seen before it is used: nobody is made somebody else unasked.
      form.offer(token)
    }
  }
  if (account.open) fill(card, ...openServer(goal))
  else fill(card, ...invitation(account, goal, reason), form.element)
  if (!account.open && account.sign_in_url === null) form.focus()
}

function openServer(goal: string): HTMLElement[] {
  return [
    h('h1', {}, 'Nobody needs to sign in here'),
    h('p', {}, 'This server is open: everybody who reaches it may do everything.'),
    h('div', { class: 'sign-in-actions' }, h('a', { class: 'button primary', href: goal }, 'Go on')),
  ]
}

function invitation(account: Account, goal: string, reason?: string): HTMLElement[] {
  const { user, sign_in_url: operators } = account
  const parts: HTMLElement[] = [h('h1', {}, 'Sign in')]
  if (user !== null) {
    parts.push(
      h('p', {}, 'You are signed in as ', h('strong', {}, user.name || user.id), '.'),
      h(
        'div',
        { class: 'sign-in-actions' },
        h('a', { class: 'button primary', href: goal, 'data-testid': 'go-on' }, 'Go on'),
        h('button', { type: 'button', class: 'button', 'data-testid': 'sign-out', onclick: () => void signOut().then(() => location.reload()) }, 'Sign out'),
      ),
      h('p', { class: 'sign-in-or' }, 'Or sign in as somebody else'),
    )
  } else if (ownerOf(account) !== '') {
    parts.push(h('p', {}, 'Your sign-in has expired. What you wrote meanwhile is sent when you are back.'))
  } else if (reason) {
    parts.push(h('p', {}, asSentence(reason)))
  }
  if (operators !== null && user === null) {
    parts.push(
      h('p', {}, 'You sign in with the accounts of the people who run this server, and come back here.'),
      h('a', { class: 'button primary wide', href: signInAddress(operators, goal), 'data-testid': 'operators-sign-in' }, 'Continue'),
      h('p', { class: 'sign-in-or' }, 'Or with a token'),
    )
  }
  return parts
}

/** A field for a token, which nothing but the server gets to see. */
class TokenForm {
  readonly #field = h('input', {
    ...{ id: 'token', type: 'password', class: 'field', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' },
    ...{ required: true, 'aria-describedby': 'token-origin token-problem', 'data-testid': 'token', placeholder: 'eyJhbGciOi…' },
  })
  readonly #toggle = h('button', { type: 'button', class: 'icon-button', 'data-testid': 'show-token', onclick: () => this.#show(this.#field.type === 'password') })
  readonly #submit = h('button', { type: 'submit', class: 'button primary wide', 'data-testid': 'sign-in-submit' }, 'Sign in')
  readonly #problem = h('p', { id: 'token-problem', class: 'sign-in-problem', role: 'alert' })
  readonly element = h(
    'form',
    { class: 'token-form' },
    h('label', { for: 'token' }, 'Token'),
    h('div', { class: 'token-field' }, this.#field, this.#toggle),
    this.#problem,
    this.#submit,
    h(
      'p',
      { id: 'token-origin', class: 'sign-in-origin' },
      'Whoever runs this server gives you one, or makes it with ',
      h('code', {}, COMMAND),
    ),
  )

  constructor(private readonly goal: string) {
    this.#show(false)
    this.element.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.exchange(tokenIn(this.#field.value))
    })
  }

  focus(): void {
    this.#field.focus()
  }

  offer(token: string): void {
    this.#field.value = token
  }

  /** Goes on where the token is taken; says why where it is not. */
  async exchange(token: string): Promise<boolean> {
    fill(this.#problem)
    this.#submit.disabled = true
    try {
      const { document: name } = await signIn(token)
      this.#field.value = ''
      location.replace(name === null ? this.goal : documentUrl(name))
      return true
    } catch (error) {
      const words = reasonOf(error, 'Something in this page went wrong. Reloading may help.')
      const isRefused = error instanceof ApiError && error.status === 401 && !isShareToken(token)
      fill(this.#problem, isRefused ? `The server does not take this token. ${words}` : words)
      // A token that came with the address is nowhere else; when the server is back, it can still be sent.
      if (mayWorkLater(error)) this.#field.value = token
      this.#field.select()
      this.#field.focus()
      return false
    } finally {
      this.#submit.disabled = false
    }
  }

  #show(shown: boolean): void {
    this.#field.type = shown ? 'text' : 'password'
    const label = shown ? 'Hide the token' : 'Show the token'
    this.#toggle.setAttribute('aria-label', label)
    this.#toggle.title = label
    fill(this.#toggle, icon(shown ? 'eyeOff' : 'eye'))
  }
}
