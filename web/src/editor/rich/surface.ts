/**
 * The rich-text surface: Tiptap on the document's `default` fragment.
 *
 * 1. Opening a document writes nothing to it: no trailing paragraph, no links made out of others' words.
 * 2. Undo takes back one's own changes only.
 * 3. What this editor does not know is never deleted (see guard.ts).
 */
import { Editor, getSchema, type Extensions } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { Placeholder } from '@tiptap/extensions/placeholder'
import { Selection } from '@tiptap/extensions/selection'
import StarterKit from '@tiptap/starter-kit'
import type { Surface, SurfaceOptions } from '../surface'
import { Carets } from './carets'
import { richCommands } from './commands'
import { isKnown, watchForUnknown } from './guard'
import { safeHref } from './href'
import { SafeLink } from './link'
import '../../style/rich.css'

/** Draws the surface; null where the document holds what this editor does not know. */
export function mountRich(options: SurfaceOptions): Surface | null {
  const { parent, doc, onUnknownContent } = options
  const extensions = richExtensions(options)
  const fragment = doc.getXmlFragment('default')
  let stopWatching = (): void => undefined
  let stopped = false

  if (onUnknownContent !== null) {
    const schema = getSchema(extensions)
    if (!isKnown(fragment, schema)) return null
    stopWatching = watchForUnknown(fragment, schema, () => {
      if (stopped) return
      destroy()
      onUnknownContent()
    })
  }

  let isEditable = options.editable
  const editor = new Editor({
    element: parent,
    extensions,
    editable: options.editable,
    injectCSS: false,
    editorProps: {
      attributes: () => ({
        class: 'rich',
        role: 'textbox',
        'aria-multiline': 'true',
        'aria-readonly': String(!isEditable),
        'aria-label': 'Document',
        'data-testid': 'rich-editor',
        spellcheck: 'true',
      }),
      handleClick: (_view, _position, event) => openLink(event),
    },
    onTransaction: options.onChange,
  })
  const clickBelow = (event: MouseEvent): void => continueBelow(editor, event)
  parent.addEventListener('mousedown', clickBelow)

  function destroy(): void {
    if (stopped) return
    stopped = true
    stopWatching()
    parent.removeEventListener('mousedown', clickBelow)
    editor.destroy()
  }

  return {
    commands: richCommands(editor),
    setEditable(editable) {
      isEditable = editable
      editor.setEditable(editable)
    },
    setTitle: () => undefined,
    focus: () => void editor.commands.focus(),
    destroy,
  }
}

function richExtensions({ doc, awareness }: SurfaceOptions): Extensions {
  return [
    // A trailing paragraph would be written by everybody who opens the document, and once for each of them.
    StarterKit.configure({
      undoRedo: false,
      trailingNode: false,
      link: false,
      dropcursor: { color: 'var(--accent)', width: 2 },
    }),
    SafeLink,
    Placeholder.configure({ placeholder: 'Write something. “# ” begins a heading, “- ” a list, “> ” a quote.' }),
    // Keeps what is selected visible while the address of a link is typed.
    Selection.configure({ className: 'resting-selection' }),
    Collaboration.configure({ document: doc, field: 'default' }),
    Carets.configure({ awareness }),
  ]
}

/** In a page that is being edited, a link opens with Ctrl or Cmd; a plain click places the caret. */
function openLink(event: MouseEvent): boolean {
  if (!(event.metaKey || event.ctrlKey) || !(event.target instanceof Element)) return false
  const href = safeHref(event.target.closest('a')?.getAttribute('href') ?? '')
  if (href === null) return false
  window.open(href, '_blank', 'noopener,noreferrer')
  return true
}

/** A click under the last block goes on writing there, in a new paragraph where the last block is none. */
function continueBelow(editor: Editor, event: MouseEvent): void {
  if (event.target !== event.currentTarget || !editor.isEditable) return
  event.preventDefault()
  const { doc } = editor.state
  if (doc.lastChild?.type.name === 'paragraph') {
    editor.commands.focus('end')
  } else {
    editor.chain().insertContentAt(doc.content.size, { type: 'paragraph' }).focus('end').run()
  }
}
