/** The server's HTTP interface, as the pages use it. */
import type { DocumentKind } from '../editor/kinds'

export interface DocumentInfo {
  readonly name: string
  readonly title: string
  readonly kind: DocumentKind | null
  readonly created_at: string | null
  readonly updated_at: string | null
}

export interface DocumentList {
  readonly documents: readonly DocumentInfo[]
  readonly total: number
}

/** An answer that was no; `message` is a sentence for the person. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

export function listDocuments(query: string, limit: number, offset: number, signal: AbortSignal): Promise<DocumentList> {
  const search = new URLSearchParams({ q: query, limit: String(limit), offset: String(offset) })
  return ask<DocumentList>(`/api/documents?${search}`, { signal })
}

export function createDocument(wish: { name?: string; title?: string; kind: DocumentKind }): Promise<DocumentInfo> {
  const body = JSON.stringify(wish)
  return ask<DocumentInfo>('/api/documents', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })
}

export async function deleteDocument(name: string): Promise<void> {
  await ask<undefined>(`/api/documents/${encodeURIComponent(name)}`, { method: 'DELETE' })
}

export function contentUrl(name: string, format: string): string {
  return `/api/documents/${encodeURIComponent(name)}/content?format=${format}`
}

/** A document's content as the server has committed it, in one of its formats. */
export async function fetchContent(name: string, format: string): Promise<Uint8Array> {
  return new Uint8Array(await (await reach(contentUrl(name, format))).arrayBuffer())
}

/** The page of a document; a `/` of its name stays a `/`. */
export function documentUrl(name: string): string {
  return `/d/${name.split('/').map(encodeURIComponent).join('/')}`
}

async function ask<Answer>(url: string, init: RequestInit): Promise<Answer> {
  const response = await reach(url, init)
  return (response.status === 204 ? undefined : await response.json()) as Answer
}

async function reach(url: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, init).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError(0, 'The server cannot be reached. Is it running, and is this device online?')
  })
  if (!response.ok) throw new ApiError(response.status, await reasonOf(response))
  return response
}

async function reasonOf(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { error?: { message?: unknown } }
    if (typeof body.error?.message === 'string') return body.error.message
  } catch {
    // Something in between answered, with a page of its own: the status is all there is to say.
  }
  return `The server answered ${response.status} ${response.statusText}`.trim() + '.'
}
