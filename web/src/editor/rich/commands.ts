/** The toolbar of rich text, as data. */
import type { Editor } from '@tiptap/core'
import { yUndoPluginKey } from '@tiptap/y-tiptap'
import type { UndoManager } from 'yjs'
import type { Command, Question } from '../surface'
import { hrefOfInput } from './href'

export function richCommands(editor: Editor): Command[] {
  const undoManager = (): UndoManager | undefined =>
    (yUndoPluginKey.getState(editor.state) as { undoManager: UndoManager } | undefined)?.undoManager
  const chain = (): ReturnType<Editor['chain']> => editor.chain().focus()
  const mayEdit = (): boolean => editor.isEditable

  const history = (id: string, label: string, keys: string, has: () => boolean, run: () => void): Command => ({
    ...{ id, label, keys, run, group: 0, isActive: null, question: null },
    isEnabled: () => mayEdit() && has(),
  })
  const toggle = (
    group: number,
    id: string,
    label: string,
    keys: string | null,
    isActive: (() => boolean) | null,
    run: () => void,
  ): Command => ({ id, label, keys, group, isActive, isEnabled: mayEdit, question: null, run })
  const heading = (level: 1 | 2 | 3): Command =>
    toggle(
      1,
      `heading${level}`,
      `Heading ${level}`,
      `Mod-Alt-${level}`,
      () => editor.isActive('heading', { level }),
      () => chain().toggleHeading({ level }).run(),
    )
  const is = (name: string) => (): boolean => editor.isActive(name)

  return [
    history('undo', 'Undo', 'Mod-Z', () => (undoManager()?.undoStack.length ?? 0) > 0, () => chain().undo().run()),
    history('redo', 'Redo', 'Mod-Shift-Z', () => (undoManager()?.redoStack.length ?? 0) > 0, () => chain().redo().run()),
    toggle(1, 'paragraph', 'Plain paragraph', 'Mod-Alt-0', is('paragraph'), () => chain().setParagraph().run()),
    heading(1),
    heading(2),
    heading(3),
    toggle(2, 'bold', 'Bold', 'Mod-B', is('bold'), () => chain().toggleBold().run()),
    toggle(2, 'italic', 'Italic', 'Mod-I', is('italic'), () => chain().toggleItalic().run()),
    toggle(2, 'strike', 'Strikethrough', 'Mod-Shift-S', is('strike'), () => chain().toggleStrike().run()),
    toggle(2, 'code', 'Code', 'Mod-E', is('code'), () => chain().toggleCode().run()),
    { ...toggle(2, 'link', 'Link', 'Mod-K', is('link'), () => undefined), question: linkQuestion(editor) },
    toggle(3, 'bulletList', 'Bullet list', 'Mod-Shift-8', is('bulletList'), () => chain().toggleBulletList().run()),
    toggle(3, 'orderedList', 'Numbered list', 'Mod-Shift-7', is('orderedList'), () => chain().toggleOrderedList().run()),
    toggle(3, 'blockquote', 'Quote', 'Mod-Shift-B', is('blockquote'), () => chain().toggleBlockquote().run()),
    toggle(3, 'codeBlock', 'Code block', 'Mod-Alt-C', is('codeBlock'), () => chain().toggleCodeBlock().run()),
    toggle(3, 'rule', 'Horizontal rule', null, null, () => chain().setHorizontalRule().run()),
  ]
}

function linkQuestion(editor: Editor): Question {
  return {
    label: 'Address of the link',
    placeholder: 'https://…',
    current: () => String(editor.getAttributes('link')['href'] ?? ''),
    answer(value) {
      if (value.trim() === '') {
        editor.chain().focus().extendMarkRange('link').unsetLink().run()
        return null
      }
      const href = hrefOfInput(value)
      if (href === null) return 'Links can lead to web pages, mail addresses and telephone numbers.'
      const chain = editor.chain().focus().extendMarkRange('link')
      // With nothing selected there is no text to carry the link: the address itself becomes the text.
      if (editor.state.selection.empty && !editor.isActive('link')) {
        chain.insertContent([{ type: 'text', text: value.trim(), marks: [{ type: 'link', attrs: { href } }] }]).run()
      } else {
        chain.setLink({ href }).run()
      }
      return null
    },
  }
}
