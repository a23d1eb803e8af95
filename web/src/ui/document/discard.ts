/** Asks before what was typed and never saved is thrown away. */
import { openDialog } from '../dialog'
import { h } from '../dom'

export function confirmDiscard(onConfirmed: () => void): void {
  const keep = h('button', { type: 'button', class: 'button', onclick: () => dialog.close() }, 'Keep it')
  const discard = h('button', { type: 'button', class: 'button danger', 'data-testid': 'confirm-discard' }, 'Discard')
  discard.addEventListener('click', () => {
    dialog.close()
    onConfirmed()
  })
  const dialog: HTMLDialogElement = openDialog(
    { 'aria-labelledby': 'discard-title', 'data-testid': 'discard-dialog' },
    h('h2', { id: 'discard-title' }, 'Discard what was not saved?'),
    h('p', {}, 'What you typed and the server did not take is deleted from this device. This cannot be undone.'),
    h('div', { class: 'dialog-actions' }, keep, discard),
  )
  keep.focus()
}
