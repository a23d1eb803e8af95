/** An address that no document can have. */
import { fill, h } from './dom'

export function openLostPage(app: HTMLElement): void {
  document.title = 'No such page · collabdoc'
  fill(
    app,
    h(
      'main',
      { class: 'lost' },
      h('h1', {}, 'No document can have this address'),
      h('p', {}, 'A name has up to 200 letters, digits and the characters . _ ~ - /, with something between its slashes.'),
      h('a', { class: 'button primary', href: '/' }, 'All documents'),
    ),
  )
}
