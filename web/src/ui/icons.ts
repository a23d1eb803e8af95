/** The icons of the page: strokes on a 24-unit grid, in the colour of the text around them. */

const PATHS = {
  back: 'M15 5l-7 7 7 7',
  bold: 'M7 5h6a3.5 3.5 0 0 1 0 7H7zM7 12h7a3.5 3.5 0 0 1 0 7H7z',
  blockquote: 'M5 6v12M10 8h9M10 12h9M10 16h5',
  bulletList: 'M10 6h10M10 12h10M10 18h10M4.5 6h.01M4.5 12h.01M4.5 18h.01',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  code: 'M9 7l-5 5 5 5M15 7l5 5-5 5',
  codeBlock: 'M4 5h16v14H4zM10 9.5L7.5 12l2.5 2.5M14 9.5l2.5 2.5-2.5 2.5',
  close: 'M6 6l12 12M18 6L6 18',
  copy: 'M9 9h10v11H9zM15 9V4H5v11h4',
  dark: 'M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z',
  download: 'M12 4v11M7.5 11L12 15.5 16.5 11M5 20h14',
  eye: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  eyeOff: 'M4 4l16 16M9.5 5.9A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-3 3.7M6 7.6A16.5 16.5 0 0 0 2.5 12S6 18.5 12 18.5a9.3 9.3 0 0 0 4-.9M10 10a2.9 2.9 0 0 0 4 4.1',
  italic: 'M10 5h7M7 19h7M14 5l-4 14',
  light: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4',
  link: 'M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1.3 1.3M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1.3-1.3',
  more: 'M5.5 12h.01M12 12h.01M18.5 12h.01',
  open: 'M14 5h5v5M19 5l-8 8M17 14v5H5V7h5',
  orderedList: 'M10 6h10M10 12h10M10 18h10M4 4.5h1v3.5M3.7 16.2c.3-.9 2.1-.9 2.1.2 0 .9-2.1 1.5-2.1 2.6h2.2',
  plus: 'M12 5v14M5 12h14',
  redo: 'M15 5l4 4-4 4M19 9H10a5 5 0 0 0 0 10h3',
  rich: 'M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h4',
  rule: 'M4 12h16M8 6h8M8 18h8',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5',
  share: 'M10 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM3.5 19.5c.4-3.6 3-5.5 6.5-5.5 1.6 0 3 .4 4.1 1.1M18 14v6M15 17h6',
  signOut: 'M14 4.5H5v15h9M10 12h10.5M17 8.5l3.5 3.5-3.5 3.5',
  strike: 'M4 12h16M16.5 7.5C15.5 5.5 13.8 5 12 5c-2.5 0-4.3 1.3-4.3 3.3M7.5 16c.8 2.2 2.5 3 4.7 3 2.6 0 4.3-1.3 4.3-3.4',
  system: 'M4 5h16v11H4zM9 20h6M12 16v4',
  text: 'M6 3h8l4 4v14H6zM14 3v4h4M10.5 12.5L8.7 14.5l1.8 2M13.5 12.5l1.8 2-1.8 2',
  trash: 'M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7M10.5 11v5M13.5 11v5',
  undo: 'M9 5L5 9l4 4M5 9h9a5 5 0 0 1 0 10h-3',
  unlink: 'M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7M4 4l16 16',
} as const

const LETTERS = { paragraph: '¶', heading1: 'H1', heading2: 'H2', heading3: 'H3' } as const

export type IconName = keyof typeof PATHS

/** An icon for the eye only: whatever carries it needs a name of its own. */
export function icon(name: IconName): SVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  path.setAttribute('d', PATHS[name])
  svg.append(path)
  return svg
}

/** The face of a toolbar command: a drawn icon, or the letters that writers know it by. */
export function commandIcon(id: string): Element {
  if (id in PATHS) return icon(id as IconName)
  const letters = document.createElement('span')
  letters.className = 'letters'
  letters.setAttribute('aria-hidden', 'true')
  letters.textContent = LETTERS[id as keyof typeof LETTERS] ?? id
  return letters
}
