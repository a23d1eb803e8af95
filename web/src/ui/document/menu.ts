/** The menu of a document: its address, and its content in the formats that fit its kind. */
import type { DocumentKind } from '../../editor/kinds'
import { ApiError, contentUrl, fetchContent } from '../api'
import { copyText } from '../clipboard'
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
    { type: 'button', class: 'icon-button', 'aria-label': 'Address and export', title: 'Address and export', 'data-testid': 'menu' },
    icon('more'),
  )
  const copied = h('span', {}, 'Copy address')
  const copy = h('button', { type: 'button', class: 'menu-item' }, icon('copy'), copied)
  const formats = h('div', { class: 'menu-formats' })
  const problem = h('p', { class: 'field-problem menu-problem', role: 'alert' })
  // The popover is placed behind its button, so both need a parent before it is attached.
  const holder = h('div', { class: 'menu' }, button)
  const popover = attachPopover(
    button,
    'Address and export',
    () => {
      const { kind, title } = describe()
      copied.textContent = 'Copy address'
      fill(problem)
      fill(formats, ...FORMATS[kind ?? 'text'].map((format) => downloadLink(name, title, format, download)))
    },
    copy,
    h('p', { class: 'menu-heading' }, 'Download as'),
    formats,
    problem,
  )
  async function download(format: string, fileName: string): Promise<void> {
    try {
      saveFile(await fetchContent(name, format), fileName)
      popover.close()
    } catch (error) {
      fill(problem, error instanceof ApiError ? error.message : 'The download broke off.')
    }
  }
  popover.panel.classList.add('menu-panel')
  copy.addEventListener('click', () => {
    void copyText(location.href).then((done) => (copied.textContent = done ? 'Copied' : location.href))
  })
  return [holder]
}

/** Hands a file made in the page to the person. */
export function saveFile(bytes: Uint8Array, fileName: string): void {
  const url = URL.createObjectURL(new Blob([bytes.slice()], { type: 'application/octet-stream' }))
  h('a', { href: url, download: fileName }).click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** The address is the link's own; a plain click fetches it here, so that the file has our name and a failure is told. */
function downloadLink(
  name: string,
  title: string,
  { format, label, extension }: Format,
  download: (format: string, fileName: string) => Promise<void>,
): HTMLElement {
  const href = contentUrl(name, format)
  const link = h('a', { class: 'menu-item', href, 'data-testid': `export-${format}` }, icon('download'), label)
  link.addEventListener('click', (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    void download(format, fileNameOf(name, title, extension))
  })
  return link
}
