/**
 * Keeps this editor from deleting what it does not know.
 *
 * The binding deletes nodes and text whose names its schema lacks, for everybody. So the fragment is searched before
 * the binding sees it, and so is each change of others, by an observer that must be registered before the binding's.
 */
import type { Schema } from '@tiptap/pm/model'
import * as Y from 'yjs'

/** Whether the whole fragment can be shown and edited without losing anything. */
export function isKnown(fragment: Y.XmlFragment, schema: Schema): boolean {
  return fragment.toArray().every((child) => isKnownType(child, schema))
}

/** Calls `onUnknown` when somebody else's change brings something unknown, before any later observer sees it. */
export function watchForUnknown(fragment: Y.XmlFragment, schema: Schema, onUnknown: () => void): () => void {
  const look = (events: Y.YEvent<Y.AbstractType<unknown>>[], transaction: Y.Transaction): void => {
    if (transaction.local || events.every((event) => isKnownChange(event, schema))) return
    onUnknown()
  }
  fragment.observeDeep(look as Parameters<typeof fragment.observeDeep>[0])
  return () => fragment.unobserveDeep(look as Parameters<typeof fragment.observeDeep>[0])
}

function isKnownChange(event: Y.YEvent<Y.AbstractType<unknown>>, schema: Schema): boolean {
  return event.delta.every((part) => {
    if (!areKnownMarks(part.attributes, schema)) return false
    if (part.insert === undefined || typeof part.insert === 'string') return true
    return Array.isArray(part.insert) && part.insert.every((child) => isKnownType(child, schema))
  })
}

function isKnownType(type: unknown, schema: Schema): boolean {
  if (type instanceof Y.XmlText) {
    const parts = type.toDelta() as { insert: unknown; attributes?: Record<string, unknown> }[]
    return parts.every((part) => typeof part.insert === 'string' && areKnownMarks(part.attributes, schema))
  }
  if (!(type instanceof Y.XmlElement)) return false
  return type.nodeName in schema.nodes && type.toArray().every((child) => isKnownType(child, schema))
}

function areKnownMarks(attributes: Record<string, unknown> | undefined, schema: Schema): boolean {
  // Marks that may overlap carry a hash behind their name.
  return Object.keys(attributes ?? {}).every((key) => key.replace(/--[\w+/=]{8}$/, '') in schema.marks)
}
