/** What is selected in the page. */

/** Makes the editors look at it now: a busy browser tells them late, and what happens before that would undo it. */
export function readSelection(): void {
  document.dispatchEvent(new Event('selectionchange'))
}
