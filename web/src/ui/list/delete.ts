/** Asks before a document is deleted for everybody. */
import { ApiError, deleteDocument, type DocumentInfo } from '../api'
import { openDialog } from '../dialog'
import { fill, h } from '../dom'
import { shownName } from '../names'
import { reasonOf } from '../words'

export function confirmDelete(entry: DocumentInfo, onDeleted: () => void): void {
  const problem = h('p', { class: 'dialog-problem', role: 'alert' })
  const cancel = h('button', { type: 'button', class: 'button', onclick: () => dialog.close() }, 'Keep it')
  const confirm = h(
    'button',
    { type: 'button', class: 'button danger', 'data-testid': 'confirm-delete', onclick: () => void remove() },
    'Delete for everyone',
  )
  const dialog: HTMLDialogElement = openDialog(
    { 'aria-labelledby': 'delete-title', 'data-testid': 'delete-dialog' },
    h('h2', { id: 'delete-title' }, `Delete “${entry.title || shownName(entry.name)}”?`),
    h('p', {}, 'It disappears for everybody who has its address. This cannot be undone.'),
    problem,
    h('div', { class: 'dialog-actions' }, cancel, confirm),
  )
  async function remove(): Promise<void> {
    confirm.disabled = true
    try {
      await deleteDocument(entry.name)
    } catch (error) {
      // Somebody else was faster: what was asked for is so.
      if (!(error instanceof ApiError && error.status === 404)) {
        fill(problem, reasonOf(error, 'The document could not be deleted.'))
        confirm.disabled = false
        return
      }
    }
    dialog.close()
    onDeleted()
  }
  cancel.focus()
}
