/** One document of the list. */
import { documentUrl, type DocumentInfo } from '../api'
import { h } from '../dom'
import { icon } from '../icons'
import { nameOfTitle, shownName } from '../names'
import { sharedBy } from '../share/words'
import { fullTime, relativeTime } from '../time'

const DAMAGED = 'Damaged on the server: its operator has to repair it'

/** `onDelete` is null where one may not. */
export function documentRow(entry: DocumentInfo, now: Date, onDelete: (() => void) | null): HTMLElement {
  const title = entry.title || shownName(entry.name)
  const kind = entry.kind === 'text' ? 'Plain text' : entry.kind === 'rich' ? 'Rich text' : 'Empty'
  return h(
    'div',
    { class: 'row', 'data-testid': 'document-row', 'data-name': entry.name },
    h('span', { class: `kind kind-${entry.kind ?? 'none'}`, title: kind }, icon(entry.kind === 'text' ? 'text' : 'rich')),
    h(
      'div',
      { class: 'row-text' },
      entry.damaged
        ? h('span', { class: 'row-title' }, title)
        : h('a', { class: 'row-title', href: documentUrl(entry.name) }, title),
      h('span', { class: 'row-name' }, entry.damaged ? DAMAGED : nameTellsMore(entry) ? entry.name : kind),
    ),
    // Whoever may not change that need not see it.
    entry.permission === 'admin' && entry.links > 0 && shared(entry.links),
    entry.updated_at !== null && changedAt(new Date(entry.updated_at), now),
    onDelete !== null &&
      h(
        'button',
        {
          ...{ type: 'button', class: 'icon-button danger row-delete', onclick: onDelete, title: 'Delete' },
          ...{ 'aria-label': `Delete ${title}`, 'data-testid': 'delete' },
        },
        icon('trash'),
      ),
  )
}

/** Whether the name says something that the title does not. */
function nameTellsMore({ name, title }: DocumentInfo): boolean {
  return title !== '' && name !== title && name !== nameOfTitle(title) && shownName(name) === name
}

function shared(links: number): HTMLElement {
  const words = sharedBy(links)
  return h('span', { class: 'row-shared', role: 'img', 'aria-label': words, title: words, 'data-testid': 'shared' }, icon('link'), String(links))
}

function changedAt(moment: Date, now: Date): HTMLElement {
  const title = `Changed ${fullTime(moment)}`
  return h('time', { class: 'row-time', datetime: moment.toISOString(), title }, relativeTime(moment, now))
}
