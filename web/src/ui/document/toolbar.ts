/** The toolbar over a surface: one tab stop, arrow keys inside, the state of the selection in each button. */
import type { Command, Question, Surface } from '../../editor/surface'
import { safeHref } from '../../editor/rich/href'
import { readSelection } from '../../editor/selection'
import { fill, h } from '../dom'
import { commandIcon, icon } from '../icons'
import { attachPopover, type Popover } from '../popover'

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.platform)

interface Tool {
  readonly command: Command
  readonly button: HTMLButtonElement
  readonly popover: Popover | null
}

export class Toolbar {
  readonly element = h('div', { class: 'toolbar', role: 'toolbar', 'aria-label': 'Formatting', 'data-testid': 'toolbar' })
  #tools: readonly Tool[] = []
  #frame = 0

  constructor() {
    this.element.addEventListener('keydown', (event) => this.#walk(event))
  }

  /** Shows the surface's commands; none while there is no surface. */
  show(surface: Surface | null): void {
    const strip = h('div', { class: 'toolbar-strip' })
    this.#tools = (surface?.commands ?? []).map((command) => createTool(command))
    let group = this.#tools[0]?.command.group
    for (const { command, button, popover } of this.#tools) {
      if (command.group !== group) strip.append(h('span', { class: 'toolbar-gap', role: 'separator' }))
      group = command.group
      strip.append(button, ...(popover ? [popover.panel] : []))
    }
    fill(this.element, strip)
    this.#tools.forEach(({ button }, at) => (button.tabIndex = at === 0 ? 0 : -1))
    this.refresh()
  }

  /** Reads the state of every command again, once per frame however often it is called. */
  refresh(): void {
    cancelAnimationFrame(this.#frame)
    this.#frame = requestAnimationFrame(() => {
      this.element.hidden = this.#tools.every(({ command }) => !command.isEnabled())
      for (const { command, button } of this.#tools) {
        // Not `disabled`: that would take the focus away from somebody who walks the toolbar by keyboard.
        button.setAttribute('aria-disabled', String(!command.isEnabled()))
        if (command.isActive) button.setAttribute('aria-pressed', String(command.isActive()))
      }
    })
  }

  /** Opens the question of the command with these keys, such as Mod-K for a link; says whether there was one. */
  ask(event: KeyboardEvent): boolean {
    if (!(IS_MAC ? event.metaKey : event.ctrlKey) || event.shiftKey || event.altKey) return false
    const keys = `Mod-${event.key.toUpperCase()}`
    const tool = this.#tools.find(({ command, popover }) => popover && command.keys === keys && command.isEnabled())
    // Once the question has the focus, the editors do not look any more.
    if (tool !== undefined) readSelection()
    tool?.popover?.open()
    return tool !== undefined
  }

  #walk(event: KeyboardEvent): void {
    const at = this.#tools.findIndex(({ button }) => button === document.activeElement)
    const steps: Readonly<Record<string, number>> = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: this.#tools.length - 1 }
    const to = steps[event.key]
    if (at < 0 || to === undefined) return
    event.preventDefault()
    const count = this.#tools.length
    const next = this.#tools[(to + count) % count]
    if (next === undefined) return
    for (const { button } of this.#tools) button.tabIndex = -1
    next.button.tabIndex = 0
    next.button.focus()
  }
}

function createTool(command: Command): Tool {
  const keys = command.keys === null ? '' : ` (${spellKeys(command.keys)})`
  const button = h(
    'button',
    {
      ...{ type: 'button', class: 'tool', title: `${command.label}${keys}`, 'aria-label': command.label },
      ...{ 'data-command': command.id, 'aria-keyshortcuts': command.keys === null ? null : ariaKeys(command.keys) },
    },
    commandIcon(command.id),
  )
  // The caret stays in the text while a button is pressed.
  button.addEventListener('mousedown', (event) => event.preventDefault())
  button.addEventListener('click', (event) => {
    if (command.isEnabled()) {
      if (command.question === null) command.run()
    } else {
      event.preventDefault()
    }
  })
  return { command, button, popover: command.question === null ? null : attachQuestion(button, command, command.question) }
}

function attachQuestion(button: HTMLButtonElement, command: Command, question: Question): Popover {
  const input = h('input', {
    ...{ type: 'text', class: 'field', inputmode: 'url', autocomplete: 'off', spellcheck: 'false' },
    ...{ placeholder: question.placeholder, 'aria-label': question.label },
  })
  const problem = h('p', { class: 'field-problem', role: 'alert' })
  const visit = h('a', { class: 'icon-button', target: '_blank', rel: 'noopener noreferrer', title: 'Open', 'aria-label': 'Open' }, icon('open'))
  const remove = h('button', { type: 'button', class: 'icon-button', title: 'Remove', 'aria-label': 'Remove' }, icon('unlink'))
  const form = h(
    'form',
    { class: 'question' },
    input,
    h('button', { type: 'submit', class: 'button primary' }, 'Set'),
    visit,
    remove,
    problem,
  )
  const answer = (value: string): void => {
    const refusal = question.answer(value)
    fill(problem, refusal)
    if (refusal === null) popover.close()
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    answer(input.value)
  })
  remove.addEventListener('click', () => answer(''))
  const popover = attachPopover(
    button,
    command.label,
    () => {
      const current = question.current()
      const href = safeHref(current)
      input.value = current
      fill(problem)
      visit.hidden = href === null
      remove.hidden = current === ''
      if (href !== null) visit.href = href
      input.focus()
      input.select()
    },
    form,
  )
  return popover
}

function spellKeys(keys: string): string {
  const names: Readonly<Record<string, string>> = IS_MAC
    ? { Mod: '⌘', Shift: '⇧', Alt: '⌥' }
    : { Mod: 'Ctrl', Shift: 'Shift', Alt: 'Alt' }
  return keys
    .split('-')
    .map((key) => names[key] ?? key)
    .join(IS_MAC ? '' : '+')
}

function ariaKeys(keys: string): string {
  return keys.replace('Mod', IS_MAC ? 'Meta' : 'Control').replaceAll('-', '+')
}
