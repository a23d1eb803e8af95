/** A panel that belongs to a button. The browser's own popover closes it on Escape and on a click elsewhere. */
import { h, type Child } from './dom'

const GAP_PX = 6
const EDGE_PX = 8

export interface Popover {
  readonly panel: HTMLElement
  open(): void
  close(): void
}

/** Ties a panel with `content` to `button`; `onOpen` runs when it shows, before it is placed. */
export function attachPopover(button: HTMLButtonElement, label: string, onOpen: () => void, ...content: Child[]): Popover {
  const panel = h('div', { class: 'popover', popover: 'auto', role: 'dialog', 'aria-label': label }, ...content)
  button.after(panel)
  button.setAttribute('aria-haspopup', 'dialog')
  button.setAttribute('aria-expanded', 'false')
  // Declared, not done by a click handler: only so does the browser know that a press on the button is no click elsewhere.
  button.popoverTargetElement = panel
  let isReady = false
  const ready = (): void => {
    if (isReady) return
    isReady = true
    button.setAttribute('aria-expanded', 'true')
    onOpen()
    place(panel, button)
  }
  panel.addEventListener('toggle', (event) => {
    if ((event as ToggleEvent).newState === 'open') return ready()
    isReady = false
    button.setAttribute('aria-expanded', 'false')
  })
  const open = (): void => {
    panel.showPopover()
    // The event comes later than the next key, which belongs into the panel already.
    ready()
  }
  return { panel, open, close: () => panel.hidePopover() }
}

function place(panel: HTMLElement, button: HTMLElement): void {
  const anchor = button.getBoundingClientRect()
  const { width, height } = panel.getBoundingClientRect()
  const room = document.documentElement.clientWidth - width - EDGE_PX
  const left = anchor.left + anchor.width / 2 > document.documentElement.clientWidth / 2 ? anchor.right - width : anchor.left
  const below = anchor.bottom + GAP_PX
  const fits = below + height <= document.documentElement.clientHeight
  panel.style.left = `${Math.max(EDGE_PX, Math.min(left, room))}px`
  panel.style.top = `${fits ? below : Math.max(EDGE_PX, anchor.top - GAP_PX - height)}px`
}
