/** Light, dark, or as the system says. `theme.js` applies the choice before the first paint; this changes it. */
import { fill, h } from './dom'
import { icon, type IconName } from './icons'

type Theme = 'auto' | 'light' | 'dark'

const KEY = 'collabdoc.theme'
const NEXT: Readonly<Record<Theme, Theme>> = { auto: 'light', light: 'dark', dark: 'auto' }
const ICON: Readonly<Record<Theme, IconName>> = { auto: 'system', light: 'light', dark: 'dark' }
const LABEL: Readonly<Record<Theme, string>> = { auto: 'as the system', light: 'light', dark: 'dark' }

/** A button that goes round the three. */
export function themeButton(): HTMLButtonElement {
  const button = h('button', { type: 'button', class: 'icon-button', 'data-testid': 'theme', onclick: step })
  function show(): void {
    const theme = current()
    const label = `Theme: ${LABEL[theme]}`
    fill(button, icon(ICON[theme]))
    button.setAttribute('aria-label', label)
    button.title = label
  }
  function step(): void {
    choose(NEXT[current()])
    show()
  }
  show()
  return button
}

function current(): Theme {
  const { theme } = document.documentElement.dataset
  return theme === 'light' || theme === 'dark' ? theme : 'auto'
}

function choose(theme: Theme): void {
  if (theme === 'auto') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
  try {
    if (theme === 'auto') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, theme)
  } catch {
    // Storage is blocked: the choice lasts as long as the page.
  }
}
