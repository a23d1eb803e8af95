/** Who is signed in, as round initials with a small menu; for whoever could be, a way to sign in. */
import { openIdentity } from '../editor/identity'
import { initials, inkOn, safeColor, standOut } from '../editor/people'
import { maySignIn, signInHref, signOut, type Account } from './account'
import { fill, h } from './dom'
import { icon } from './icons'
import { attachPopover } from './popover'
import { reasonOf } from './words'
import '../style/people.css'

/** Empty on a server without accounts. */
export function accountMenu(account: Account): HTMLElement | null {
  if (maySignIn(account)) {
    return h('a', { class: 'button', href: signInHref(account), 'data-testid': 'sign-in-link' }, 'Sign in')
  }
  if (account.user === null) return null
  const { name, color } = openIdentity(account.user).profile
  const face = h('button', { type: 'button', class: 'avatar self', 'data-testid': 'account', title: name, 'aria-label': `Signed in as ${name}` }, initials(name))
  const paint = standOut(safeColor(color, 0))
  face.style.setProperty('--person', paint)
  face.style.setProperty('--person-ink', inkOn(paint))
  const holder = h('div', { class: 'account' }, face)
  attachPopover(face, 'Account', () => undefined, ...accountPanel(account, () => false)).panel.classList.add('menu-panel')
  return holder
}

/** Whose account it is, and the way out of it; who leaves something unsaved behind is told, and asked once more. */
export function accountPanel({ user }: Account, hasUnsaved: () => boolean): HTMLElement[] {
  if (user === null) return []
  const problem = h('p', { class: 'field-problem menu-problem', role: 'alert' })
  const leave = h('button', { type: 'button', class: 'menu-item', 'data-testid': 'sign-out' }, icon('signOut'), h('span', {}, 'Sign out'))
  let isWarned = false
  leave.addEventListener('click', () => {
    if (hasUnsaved() && !isWarned) {
      isWarned = true
      fill(problem, 'Not all that you typed is saved. It stays on this device until you sign in again. Press once more to sign out.')
      return
    }
    fill(problem)
    signOut().then(
      () => location.reload(),
      (error: unknown) => fill(problem, reasonOf(error, 'You could not be signed out.')),
    )
  })
  const facts = h('p', { class: 'account-facts' }, h('strong', {}, user.name || user.id), h('span', {}, user.name === user.id ? 'Signed in' : user.id))
  return [facts, leave, problem]
}
