/** The server's HTTP interface, as the pages use it. */
import type { DocumentKind } from '../editor/kinds'
import type { Account } from './account'

export type Permission = 'read' | 'comment' | 'write' | 'admin'

export type LinkRole = Exclude<Permission, 'admin'>

export interface DocumentInfo {
  readonly name: string
  readonly title: string
  readonly kind: DocumentKind | null
  readonly created_at: string | null
  readonly updated_at: string | null
  /** What we may do with it. */
  readonly permission: Permission
  /** How many live share links it has. */
  readonly links: number
  /** The server cannot read what it has stored of it; only its name is known. */
  readonly damaged: boolean
}

export interface ShareLink {
  readonly id: string
  readonly permission: Permission
  readonly label: string
  readonly created_at: string
  readonly created_by: string
  readonly expires_at: string | null
}

export interface LinkWish {
  readonly permission: LinkRole
  readonly label: string
  readonly expires_in_s: number | null
}

export interface DocumentList {
  readonly documents: readonly DocumentInfo[]
  readonly total: number
}

/** A cookie alone proves nothing about which page sends it along; a header that only our own pages can set does. */
const CSRF = { 'X-Collabdoc-Csrf': '1' }

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
  return send<DocumentInfo>('POST', '/api/documents', wish)
}

export function describeDocument(name: string): Promise<DocumentInfo> {
  return ask<DocumentInfo>(apiUrl(name), {})
}

export function deleteDocument(name: string): Promise<void> {
  return send<void>('DELETE', apiUrl(name))
}

export function fetchSession(signal: AbortSignal): Promise<Account> {
  return ask<Account>('/api/session', { signal, cache: 'no-store' })
}

/** Exchanges a token for a cookie; `document` is what a share link opens. */
export function sendSignIn(token: string): Promise<Account & { document?: string }> {
  return send<Account & { document?: string }>('POST', '/api/session', { token })
}

export function sendSignOut(): Promise<void> {
  return send<void>('DELETE', '/api/session')
}

export async function listLinks(name: string): Promise<readonly ShareLink[]> {
  return (await ask<{ links: readonly ShareLink[] }>(`${apiUrl(name)}/links`, {})).links
}

/** The link, and the path with its token, which the server tells this once. */
export function createLink(name: string, wish: LinkWish): Promise<ShareLink & { path: string }> {
  return send<ShareLink & { path: string }>('POST', `${apiUrl(name)}/links`, wish)
}

export function deleteLink(name: string, id: string): Promise<void> {
  return send<void>('DELETE', `${apiUrl(name)}/links/${encodeURIComponent(id)}`)
}

export function contentUrl(name: string, format: string): string {
  return `${apiUrl(name)}/content?format=${format}`
}

/** A document's content as the server has committed it, in one of its formats. */
export async function fetchContent(name: string, format: string): Promise<Uint8Array> {
  return new Uint8Array(await (await reach(contentUrl(name, format))).arrayBuffer())
}

/** The page of a document; a `/` of its name stays a `/`. */
export function documentUrl(name: string): string {
  return `/d/${name.split('/').map(encodeURIComponent).join('/')}`
}

function apiUrl(name: string): string {
  return `/api/documents/${encodeURIComponent(name)}`
}

function send<Answer>(method: 'POST' | 'DELETE', url: string, body?: object): Promise<Answer> {
  if (body === undefined) return ask<Answer>(url, { method, headers: CSRF })
  return ask<Answer>(url, { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...CSRF } })
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
