/** How somebody else's caret looks, the same in both kinds of documents. */
import type { Awareness } from 'y-protocols/awareness'
import { inkOn, isVerified, profileOf, type Profile } from './people'

/** A thin bar in the person's colour with a name that shows itself while they move. */
export function createCaret(profile: Profile, clientId: number, { verified }: { verified: boolean }): HTMLElement {
  const caret = document.createElement('span')
  caret.className = 'caret'
  caret.dataset['testid'] = 'caret'
  caret.dataset['client'] = String(clientId)
  const label = document.createElement('span')
  label.className = 'caret-label'
  // Word joiners keep a line from breaking at the caret, and give the browser a place to draw its own.
  caret.append('\u2060', label, '\u2060')
  paint(caret, label, profile, verified)
  return caret
}

/** The tint behind what somebody has selected. */
export function selectionStyle(profile: Profile): string {
  return `background-color: color-mix(in srgb, ${profile.color} 26%, transparent)`
}

/** Keeps names and colours of the carets under `root` current, and shows the name of whoever moves. */
export function followCarets(root: HTMLElement, awareness: Awareness): () => void {
  const follow = ({ updated }: { updated: number[] }): void => {
    for (const clientId of updated) {
      const caret = root.querySelector<HTMLElement>(`.caret[data-client="${clientId}"]`)
      const label = caret?.querySelector<HTMLElement>('.caret-label')
      if (!caret || !label) continue
      const state = awareness.getStates().get(clientId)
      paint(caret, label, profileOf(state, clientId), isVerified(state))
      for (const animation of label.getAnimations()) {
        animation.currentTime = 0
        animation.play()
      }
    }
  }
  awareness.on('change', follow)
  return () => awareness.off('change', follow)
}

/** On a server with accounts the style marks those whom it does not vouch for. */
function paint(caret: HTMLElement, label: HTMLElement, profile: Profile, verified: boolean): void {
  caret.dataset['verified'] = String(verified)
  caret.style.setProperty('--person', profile.color)
  caret.style.setProperty('--person-ink', inkOn(profile.color))
  if (label.textContent !== profile.name) label.textContent = profile.name
}
