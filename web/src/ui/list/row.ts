/** One document of the list. */
import { documentUrl, type DocumentInfo } from '../api'
import { h } from '../dom'
import { icon } from '../icons'
import { nameOfTitle, shownName } from '../names'
import { fullTime, relativeTime } from '../time'

export function documentRow(entry: DocumentInfo, now: Date, onDelete: () => void): HTMLElement {
  const title = entry.title || shownName(entry.name)
  const kind = entry.kind === 'text' ? 'Plain text' : entry.kind === 'rich' ? 'Rich text' : 'Empty'
  return h(
    'div',
    { class: 'row', 'data-testid': 'document-row', 'data-name': entry.name },
    h('span', { class: `kind kind-${entry.kind ?? 'none'}`, title: kind }, icon(entry.kind === 'text' ? 'text' : 'rich')),
    h(
      'div',
      { class: 'row-text' },
      h('a', { class: 'row-title', href: documentUrl(entry.name) }, title),
      h('span', { class: 'row-name' }, nameTellsMore(entry) ? entry.name : kind),
    ),
    entry.updated_at !== null && changedAt(new Date(entry.updated_at), now),
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

function changedAt(moment: Date, now: Date): HTMLElement {
  const title = `Changed ${fullTime(moment)}`
  return h('time', { class: 'row-time', datetime: moment.toISOString(), title }, relativeTime(moment, now))
}
