/**
 * Who is signed in here, as the server says. What proves it is a cookie that no page ever sees.
 *
 * 1. The last user is remembered by name until they sign out: what they wrote is kept on this device under their id, and
 *    must be found again when their sign-in has expired, or the server cannot be asked.
 * 2. The tabs of a browser tell each other: a page must not go on as somebody who has left.
 */
import { signInAddress } from './address'
import { fetchSession, sendSignIn, sendSignOut } from './api'

export interface User {
  readonly id: string
  readonly name: string
  /** Six digits, or null where the sign-in names none. */
  readonly color: string | null
}

export interface Account {
  /** A server without accounts: everybody may do everything. */
  readonly open: boolean
  /** Null for a guest, who may hold share links, and for nobody. */
  readonly user: User | null
  readonly expires_at: string | null
  /** Where the operator wants people to sign in; null for our own page. */
  readonly sign_in_url: string | null
  /** Whether there may be a document that they can make. */
  readonly may_create: boolean
}

/** What is stored; the moment tells other tabs that somebody signed in once more. */
interface Remembered {
  readonly user: User
  readonly expires_at: string | null
}

export type AccountNews = 'renewed' | 'changed'

const KEY = 'collabdoc.account'
const PATIENCE_MS = 6_000
const EVERYBODY: Account = { open: true, user: null, expires_at: null, sign_in_url: null, may_create: true }

/** Asks the server; null where it cannot be asked. */
export async function askAccount(): Promise<Account | null> {
  try {
    return learn(await fetchSession(AbortSignal.timeout(PATIENCE_MS)))
  } catch {
    return null
  }
}

/** As `askAccount`; where the server cannot be asked, the one who was here last is taken to be here still. */
export async function readAccount(): Promise<Account> {
  const account = await askAccount()
  if (account !== null) return account
  const last = recall()
  return last === null ? EVERYBODY : { open: false, sign_in_url: null, may_create: true, ...last }
}

/** Exchanges a token for the cookie; `document` is what a share link opens. Throws `ApiError`. */
export async function signIn(token: string): Promise<{ account: Account; document: string | null }> {
  const { document = null, ...account } = await sendSignIn(token)
  return { account: learn(account), document }
}

/** Whether signing in could show more than is shown now. */
export function maySignIn(account: Account): boolean {
  return !account.open && account.user === null
}

/** Where to sign in and come back to this page. */
export function signInHref(account: Account): string {
  return signInAddress(account.sign_in_url, location.href)
}

export async function signOut(): Promise<void> {
  await sendSignOut()
  store(null)
}

/** Whose copies this device shows; empty on a server without accounts, and for guests. */
export function ownerOf(account: Account): string {
  if (account.open) return ''
  return account.user?.id ?? recall()?.user.id ?? ''
}

/** Calls `listener` when another tab signs in once more as the same user, or as somebody else, or out. */
export function onOtherTabs(listener: (news: AccountNews) => void): void {
  addEventListener('storage', (event) => {
    if (event.key !== KEY) return
    const [before, now] = [parse(event.oldValue), parse(event.newValue)]
    listener(before?.user.id === now?.user.id ? 'renewed' : 'changed')
  })
}

function learn(account: Account): Account {
  if (account.user !== null) store({ user: account.user, expires_at: account.expires_at })
  else if (account.open) store(null)
  return account
}

function recall(): Remembered | null {
  try {
    return parse(localStorage.getItem(KEY))
  } catch {
    return null
  }
}

function store(remembered: Remembered | null): void {
  try {
    if (remembered === null) localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, JSON.stringify({ user: remembered.user, expires_at: remembered.expires_at }))
  } catch {
    // Full or forbidden storage keeps no copies either.
  }
}

function parse(stored: string | null): Remembered | null {
  try {
    const value = JSON.parse(stored ?? 'null') as Partial<Remembered> | null
    const user = value?.user
    return typeof user?.id === 'string' && typeof user.name === 'string' ? (value as Remembered) : null
  } catch {
    return null
  }
}
