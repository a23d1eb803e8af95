/**
 * The shared `meta` map of a document: its title, its kind and the schema that its rich text needs.
 *
 * 1. `kind` and `schema` are written once, by whoever creates the document; nobody else repairs them.
 * 2. Reading never trusts the types: another program may have written anything.
 */
import type * as Y from 'yjs'
import type { DocumentKind } from './kinds'

/** The newest rich-text schema this editor can edit without losing anything. */
export const SCHEMA = 1
export const MAX_TITLE = 300

export interface Meta {
  readonly title: string
  readonly kind: DocumentKind | null
  readonly schema: number | null
}

export function metaOf(doc: Y.Doc): Y.Map<unknown> {
  return doc.getMap('meta')
}

export function readMeta(doc: Y.Doc): Meta {
  const map = metaOf(doc)
  const title = map.get('title')
  const kind = map.get('kind')
  const schema = map.get('schema')
  return {
    title: typeof title === 'string' ? title : '',
    kind: kind === 'rich' || kind === 'text' ? kind : null,
    schema: typeof schema === 'number' ? schema : null,
  }
}

/** What the document is: as its meta says, else as its content shows; null while it is empty. */
export function kindOfDocument(doc: Y.Doc): DocumentKind | null {
  const { kind } = readMeta(doc)
  if (kind !== null) return kind
  if (doc.getText('content').length > 0) return 'text'
  if (doc.getXmlFragment('default').length > 0) return 'rich'
  return null
}

export function createMeta(doc: Y.Doc, kind: DocumentKind): void {
  const map = metaOf(doc)
  doc.transact(() => {
    map.set('kind', kind)
    map.set('schema', SCHEMA)
  })
}

export function isNewerSchema(doc: Y.Doc): boolean {
  return (readMeta(doc).schema ?? SCHEMA) > SCHEMA
}
