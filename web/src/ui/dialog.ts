/** A native dialog that leaves the page when it closes: by its buttons, by Escape, or by a click beside it. */
import { h, type Child } from './dom'

export function openDialog(attributes: Readonly<Record<string, string>>, ...content: Child[]): HTMLDialogElement {
  const dialog = h('dialog', { ...attributes, class: `dialog ${attributes['class'] ?? ''}`.trim() }, ...content)
  let pressedBeside = false
  dialog.addEventListener('close', () => dialog.remove())
  // Where a press began counts: text that is selected out of the dialog is no click beside it.
  dialog.addEventListener('pointerdown', (event) => (pressedBeside = event.target === dialog))
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog && pressedBeside) dialog.close()
  })
  document.body.append(dialog)
  dialog.showModal()
  return dialog
}
