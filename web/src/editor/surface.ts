/** What the page needs from an editing surface, whichever library draws it. */
import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'

/** A value that a command needs from the person first, such as the address of a link. */
export interface Question {
  readonly label: string
  readonly placeholder: string
  /** What to start from; empty for something new. */
  current(): string
  /** Takes the answer; a sentence for the person when it cannot be taken. An empty answer takes the thing away. */
  answer(value: string): string | null
}

/** One button of the toolbar. */
export interface Command {
  readonly id: string
  readonly label: string
  /** Keys as people write them, `Mod` being Ctrl or Cmd; null where there are none. */
  readonly keys: string | null
  /** Buttons of one group stand together. */
  readonly group: number
  /** Whether the selection has it; null for a command that is never "on". */
  isActive: (() => boolean) | null
  isEnabled(): boolean
  /** Asked before anything happens; null for a command that runs at once. */
  readonly question: Question | null
  run(): void
}

export interface Surface {
  readonly commands: readonly Command[]
  setEditable(editable: boolean): void
  /** The shared title changed; code chooses its language by it where the name says nothing. */
  setTitle(title: string): void
  focus(): void
  destroy(): void
}

export interface SurfaceOptions {
  /** Where the surface is drawn. */
  readonly parent: HTMLElement
  readonly doc: Y.Doc
  readonly awareness: Awareness
  /** The document's name and title, to choose a language by. */
  readonly name: string
  readonly title: string
  readonly editable: boolean
  /** The text or the selection changed: button states may have, too. */
  readonly onChange: () => void
  /** A newer editor wrote what this one would delete; the surface has stopped. Null where `doc` is a mirror. */
  readonly onUnknownContent: (() => void) | null
}
