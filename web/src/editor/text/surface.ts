/**
 * The plain-text surface: CodeMirror on the document's `content` text, for prose, Markdown and code.
 *
 * 1. Positions in CodeMirror and in the Y.Text are the same numbers: only "\n" ends a line, so a "\r" stays a character.
 * 2. Undo takes back one's own changes only.
 */
import { defaultKeymap, indentWithTab } from '@codemirror/commands'
import { bracketMatching, indentOnInput } from '@codemirror/language'
import { highlightSelectionMatches, openSearchPanel, search, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState, type Extension } from '@codemirror/state'
import {
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder,
} from '@codemirror/view'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import * as Y from 'yjs'
import { isProse, languageOf, type Language } from '../kinds'
import type { Command, Surface, SurfaceOptions } from '../surface'
import { carets } from './carets'
import { loadLanguage } from './languages'
import { theme } from './theme'
import '../../style/text.css'

export function mountText(options: SurfaceOptions): Surface {
  const { parent, doc, awareness, name } = options
  const text = doc.getText('content')
  // No origin is tracked until the binding adds its own: a change of anybody else, also one without an origin, is not ours.
  const undoManager = new Y.UndoManager(text, { trackedOrigins: new Set() })
  const access = new Compartment()
  const setting = new Compartment()
  const grammar = new Compartment()
  let language = languageOf(name, options.title)

  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text.toString(),
      extensions: [
        EditorState.lineSeparator.of('\n'),
        EditorView.clipboardInputFilter.of((pasted) => pasted.replace(/\r\n?/g, '\n')),
        keymap.of([...searchKeymap, ...defaultKeymap, indentWithTab]),
        search({ top: true }),
        highlightSpecialChars({ specialChars: /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu }),
        drawSelection(),
        dropCursor(),
        theme,
        access.of(accessOf(options.editable)),
        setting.of(settingOf(language)),
        grammar.of([]),
        yCollab(text, null, { undoManager }) as Extension,
        // After the binding, so that one's own change is in the Y.Text when positions in it are made.
        carets(text, awareness),
        EditorView.updateListener.of((update) => {
          if (update.docChanged || update.selectionSet) options.onChange()
        }),
        EditorView.contentAttributes.of({
          'aria-label': 'Document',
          'data-testid': 'text-editor',
        }),
      ],
    }),
  })

  const colour = async (): Promise<void> => {
    const wanted = language
    // Without colours where they cannot be fetched now: the text is what counts.
    const extension = await loadLanguage(wanted).catch(() => [])
    // Another title may have chosen another language while this one was on its way.
    if (wanted === language) view.dispatch({ effects: grammar.reconfigure(extension) })
  }
  void colour()

  return {
    commands: textCommands(view, undoManager),
    setEditable: (editable) => view.dispatch({ effects: access.reconfigure(accessOf(editable)) }),
    setTitle(title) {
      const next = languageOf(name, title)
      if (next === language) return
      language = next
      view.dispatch({ effects: setting.reconfigure(settingOf(language)) })
      void colour()
    },
    focus: () => view.focus(),
    destroy() {
      view.destroy()
      undoManager.destroy()
    },
  }
}

function accessOf(editable: boolean): Extension {
  return editable
    ? [
        keymap.of(yUndoManagerKeymap),
        placeholder('Write something. An ending such as .md or .py in the title chooses the colours.'),
      ]
    : // Still reachable by the keyboard, so that it can be read, searched and copied.
      [EditorState.readOnly.of(true), EditorView.editable.of(false), EditorView.contentAttributes.of({ tabindex: '0' })]
}

function settingOf(language: Language): Extension {
  if (isProse(language)) {
    return [
      EditorView.lineWrapping,
      EditorView.editorAttributes.of({ class: 'cm-prose' }),
      EditorView.contentAttributes.of({ spellcheck: 'true', autocorrect: 'on', autocapitalize: 'sentences' }),
    ]
  }
  return [
    lineNumbers(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    bracketMatching(),
    indentOnInput(),
    EditorView.editorAttributes.of({ class: 'cm-code' }),
  ]
}

function textCommands(view: EditorView, undoManager: Y.UndoManager): Command[] {
  const mayEdit = (): boolean => !view.state.readOnly
  const command = (id: string, label: string, keys: string, isEnabled: () => boolean, act: () => void): Command => ({
    ...{ id, label, keys, group: id === 'search' ? 1 : 0, isActive: null, isEnabled, question: null },
    run() {
      act()
      if (id !== 'search') view.focus()
    },
  })
  return [
    command('undo', 'Undo', 'Mod-Z', () => mayEdit() && undoManager.undoStack.length > 0, () => undoManager.undo()),
    command('redo', 'Redo', 'Mod-Shift-Z', () => mayEdit() && undoManager.redoStack.length > 0, () => undoManager.redo()),
    command('search', 'Find', 'Mod-F', () => true, () => openSearchPanel(view)),
  ]
}
