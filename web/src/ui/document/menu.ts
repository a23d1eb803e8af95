/** The menu of a document: its address, and its content in the formats that fit its kind. */
import type { DocumentKind } from '../../editor/kinds'
import { contentUrl } from '../api'
import { fill, h } from '../dom'
import { icon } from '../icons'
import { attachPopover } from '../popover'
import { fileNameOf } from './file-name'

interface Format {
  readonly format: string
  readonly label: string
  readonly extension: string
}

const BACKUP: Format = { format: 'yjs', label: 'Backup with history (Yjs)', extension: 'yjs' }
const FORMATS: Readonly<Record<DocumentKind, readonly Format[]>> = {
  rich: [
    { format: 'markdown', label: 'Markdown', extension: 'md' },
    { format: 'html', label: 'Web page (HTML)', extension: 'html' },
    { format: 'text', label: 'Plain text', extension: 'txt' },
    { format: 'json', label: 'Structure (JSON)', extension: 'json' },
    BACKUP,
  ],
  text: [{ format: 'text', label: 'Plain text', extension: '' }, BACKUP],
}

/** `describe` says what the document is at the moment the menu opens. */
export function documentMenu(name: string, describe: () => { kind: DocumentKind | null; title: string }): HTMLElement[] {
  const button = h(
    'button',
    { type: 'button', class: 'icon-button', 'aria-label': 'Export and share', title: 'Export and share', 'data-testid': 'menu' },
    icon('more'),
  )
  const copied = h('span', {}, 'Copy link')
  const copy = h('button', { type: 'button', class: 'menu-item' }, icon('copy'), copied)
  const formats = h('div', { class: 'menu-formats' })
  // The popover is placed behind its button, so both need a parent before it is attached.
  const holder = h('div', { class: 'menu' }, button)
  const popover = attachPopover(
    button,
    'Export and share',
    () => {
      const { kind, title } = describe()
      copied.textContent = 'Copy link'
      fill(formats, ...FORMATS[kind ?? 'text'].map((format) => downloadLink(name, title, format)))
    },
    copy,
    h('p', { class: 'menu-heading' }, 'Download as'),
    formats,
  )
  popover.panel.classList.add('menu-panel')
  copy.addEventListener('click', () => {
    void copyAddress().then((done) => (copied.textContent = done ? 'Copied' : location.href))
  })
  formats.addEventListener('click', () => popover.close())
  return [holder]
}

/** Hands a file made in the page to the person. */
export function saveFile(bytes: Uint8Array, fileName: string): void {
  const url = URL.createObjectURL(new Blob([bytes.slice()], { type: 'application/octet-stream' }))
  h('a', { href: url, download: fileName }).click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

function downloadLink(name: string, title: string, { format, label, extension }: Format): HTMLElement {
  const download = fileNameOf(name, title, extension)
  const href = contentUrl(name, format)
  return h('a', { class: 'menu-item', href, download, 'data-testid': `export-${format}` }, icon('download'), label)
}

async function copyAddress(): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(location.href)
    return true
  } catch {
    // No clipboard without https, or without permission: the address is shown instead.
    return false
  }
}
