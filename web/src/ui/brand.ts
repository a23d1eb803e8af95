/** The name of the house, which leads to the list. */
import { h } from './dom'

export function brand(): HTMLElement {
  return h('a', { class: 'brand', href: '/' }, h('span', { class: 'brand-mark', 'aria-hidden': 'true' }), 'collabdoc')
}
