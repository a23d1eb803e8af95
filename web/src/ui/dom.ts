/** Elements in one expression; text always goes in as text, never as markup. */

export type Child = Node | string | null | undefined | false
type Value = string | number | boolean | null | undefined | ((event: never) => void)

/** `h('button', { class: 'x', onclick: f, disabled: true }, 'Text')`; `false` and `null` leave an attribute out. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, Value>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      element.addEventListener(name.slice(2), value as (event: Event) => void)
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? '' : String(value))
    }
  }
  element.append(...present(children))
  return element
}

/** Puts `children` in place of whatever `parent` held. */
export function fill(parent: Element, ...children: Child[]): void {
  parent.replaceChildren(...present(children))
}

function present(children: Child[]): (Node | string)[] {
  return children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false)
}
