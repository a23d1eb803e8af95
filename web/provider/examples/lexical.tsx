import { CollabdocProvider } from '@collabdoc/provider'
import { LexicalCollaboration } from '@lexical/react/LexicalCollaborationContext'
import { CollaborationPlugin } from '@lexical/react/LexicalCollaborationPlugin'
import { LexicalComposer } from '@lexical/react/LexicalComposer'
import { ContentEditable } from '@lexical/react/LexicalContentEditable'
import { LexicalErrorBoundary } from '@lexical/react/LexicalErrorBoundary'
import { RichTextPlugin } from '@lexical/react/LexicalRichTextPlugin'
import type { Provider } from '@lexical/yjs'
import { createRoot } from 'react-dom/client'
import * as Y from 'yjs'

function connect(name: string, docs: Map<string, Y.Doc>): Provider {
  const doc = new Y.Doc()
  docs.set(name, doc)
  // Lexical connects it. Its type of presence is narrower than that of y-protocols, hence the cast.
  return new CollabdocProvider('https://docs.example.com', name, doc, { connect: false }) as unknown as Provider
}

createRoot(document.body).render(
  <LexicalCollaboration>
    <LexicalComposer initialConfig={{ namespace: 'notes', editorState: null, onError: console.error }}>
      <RichTextPlugin contentEditable={<ContentEditable />} ErrorBoundary={LexicalErrorBoundary} />
      <CollaborationPlugin id="notes/today" providerFactory={connect} shouldBootstrap username="Ana" />
    </LexicalComposer>
  </LexicalCollaboration>,
)
