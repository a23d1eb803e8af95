/**
 * What a page's address may carry besides its path: a token in the fragment, and where to go on.
 *
 * 1. A fragment is never sent to a server, and a token in it is taken out of the address before anything else happens.
 * 2. Going on never leaves this origin, whatever an address asks for.
 */

export interface Fragment {
  /** Of a share link, or of somebody's sign-in; null where the fragment is something else. */
  readonly token: string | null
  readonly next: string | null
}

const SHARE_TOKEN = /^#(cds_[\w.~-]+)$/

export function isShareToken(token: string): boolean {
  return SHARE_TOKEN.test(`#${token}`)
}

/** `#cds_...` of a share link, or `#token=...&next=...` of somebody who signs in. */
export function readFragment(fragment: string): Fragment {
  const shared = SHARE_TOKEN.exec(fragment)?.[1]
  if (shared !== undefined) return { token: shared, next: null }
  const fields = new URLSearchParams(fragment.slice(1))
  const token = fields.get('token')?.trim() || null
  return { token, next: token === null ? null : fields.get('next') }
}

/** The token in what somebody pasted: the token itself, or the link that carries it. */
export function tokenIn(pasted: string): string {
  const fragment = pasted.indexOf('#')
  return (fragment < 0 ? null : readFragment(pasted.slice(fragment).trim()).token) ?? pasted.trim()
}

/** The absolute address of `next` where it lies on `origin`, else the list's; its fragment is dropped. */
export function safeNext(next: string | null, origin: string): string {
  const list = `${origin}/`
  if (next === null) return list
  let url: URL
  try {
    url = new URL(next, origin)
  } catch {
    return list
  }
  // Absolute, since a path may begin with two slashes and would name another host by itself.
  return url.origin === origin ? `${origin}${url.pathname}${url.search}` : list
}

/** Where to sign in and come back to `here`, the absolute address of a page: the operator's place, else our own. */
export function signInAddress(operators: string | null, here: string): string {
  const { origin, pathname, search } = new URL(here)
  if (operators !== null && /^https?:\/\//i.test(operators)) {
    const url = new URL(operators)
    url.searchParams.set('next', `${origin}${pathname}${search}`)
    return url.href
  }
  const next = pathname + search
  return next === '/' ? '/sign-in' : `/sign-in?${new URLSearchParams({ next })}`
}
