/** Times as people say them. */

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** "just now", "5 minutes ago", "yesterday", "12 March", "12 March 2024"; `locale` undefined is the browser's own. */
export function relativeTime(then: Date, now: Date, locale?: string): string {
  const age = now.getTime() - then.getTime()
  // A server's clock a little ahead of ours does not make a document come from the future.
  if (age < 45_000) return 'just now'
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })
  if (age < 55 * MINUTE_MS) return relative.format(-Math.max(1, Math.round(age / MINUTE_MS)), 'minute')
  const days = daysBetween(then, now)
  if (days === 0 || age < 6 * HOUR_MS) return relative.format(-Math.max(1, Math.round(age / HOUR_MS)), 'hour')
  if (days < 7) return relative.format(-days, 'day')
  const sameYear = then.getFullYear() === now.getFullYear()
  return new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', ...(sameYear ? {} : { year: 'numeric' }) }).format(then)
}

export function fullTime(then: Date, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'short' }).format(then)
}

export type Period = 'Today' | 'Yesterday' | 'Earlier this week' | 'Earlier'

export function periodOf(then: Date | null, now: Date): Period {
  if (then === null) return 'Earlier'
  const days = daysBetween(then, now)
  if (days <= 0) return 'Today'
  if (days === 1) return 'Yesterday'
  return days < 7 ? 'Earlier this week' : 'Earlier'
}

/** Midnights between two moments, by the local calendar. */
function daysBetween(then: Date, now: Date): number {
  const midnight = (date: Date): number => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate())
  return Math.round((midnight(now) - midnight(then)) / (24 * HOUR_MS))
}
