/** Share links in words. */
import type { LinkRole, Permission, ShareLink } from '../api'
import { relativeTime } from '../time'

const DAY_S = 24 * 60 * 60

/** How long a new link may work; null for ever. */
export const SPANS: readonly { readonly label: string; readonly seconds: number | null }[] = [
  { label: 'after 1 hour', seconds: 60 * 60 },
  { label: 'after 1 day', seconds: DAY_S },
  { label: 'after 7 days', seconds: 7 * DAY_S },
  { label: 'after 30 days', seconds: 30 * DAY_S },
  { label: 'never', seconds: null },
]
export const USUAL_SPAN_S = 7 * DAY_S

/** What a link may allow; the others follow from them. */
export const LINK_ROLES: readonly LinkRole[] = ['read', 'comment', 'write']

const ROLES: Readonly<Record<Permission, string>> = {
  read: 'Can read',
  comment: 'Can comment',
  write: 'Can edit',
  admin: 'Can do everything',
}

export function roleInWords(permission: Permission): string {
  return ROLES[permission]
}

export function sharedBy(links: number): string {
  return `Shared by ${links} ${links === 1 ? 'link' : 'links'}`
}

export function holderOf(label: string): string {
  return label.trim() || 'Anyone with the link'
}

/** "ends in 6 days"; what has ended is not listed, but a dialog may stand open for long. */
export function endInWords(expiresAt: string | null, now: Date, locale?: string): string {
  if (expiresAt === null) return 'never ends'
  const leftS = (new Date(expiresAt).getTime() - now.getTime()) / 1000
  if (leftS <= 0) return 'has ended'
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'always' })
  // Rounded: a link for 7 days still "ends in 7 days" a minute later.
  if (leftS > 36 * 60 * 60) return `ends ${relative.format(Math.round(leftS / DAY_S), 'day')}`
  if (leftS > 90 * 60) return `ends ${relative.format(Math.round(leftS / 3600), 'hour')}`
  return `ends ${relative.format(Math.max(1, Math.round(leftS / 60)), 'minute')}`
}

/** "made by Ana, 5 minutes ago". */
export function madeInWords({ created_by: maker, created_at: moment }: Pick<ShareLink, 'created_by' | 'created_at'>, now: Date, locale?: string): string {
  const when = relativeTime(new Date(moment), now, locale)
  return maker === '' ? `made ${when}` : `made by ${maker}, ${when}`
}
