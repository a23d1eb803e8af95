/**
 * The provider's status in words. Nothing here decides anything: what is not in the status is not said.
 *
 * The pill says the same as the banner, shorter. The banner speaks only where somebody's work is at stake.
 */
import { closeCode, UNREADABLE } from '../protocol/errors'
import type { Status } from '../sync/status'
import { asSentence } from './words'

export type Tone = 'quiet' | 'good' | 'warn' | 'bad'
export type BannerAction = 'retry' | 'again' | 'sign-in' | 'copy' | 'download' | 'discard' | 'fresh' | 'list'

/**
 * What this device has of the document: a copy that outlives the tab, one that does not (storage is blocked), or
 * nothing yet.
 */
export type Here = 'kept' | 'fleeting' | 'nothing'

/** As whom the server knows this browser: a server without accounts knows only everybody. */
export type Asker = 'everybody' | 'guest' | 'user'

export interface Pill {
  readonly tone: Tone
  readonly text: string
  /** Continues `text` where there is room. */
  readonly more: string
}

export interface Banner {
  readonly tone: 'warn' | 'bad'
  readonly text: string
  readonly actions: readonly BannerAction[]
}

export function pillOf(status: Status, nowMs: number): Pill {
  switch (status.kind) {
    case 'connecting':
      return { tone: 'quiet', text: 'Connecting…', more: '' }
    case 'saving':
      return { tone: 'quiet', text: 'Saving…', more: '' }
    case 'saved':
      return { tone: 'good', text: 'Saved', more: '' }
    case 'readonly':
      if (status.unsaved) return { tone: 'bad', text: 'Not saved', more: ': read-only' }
      return { tone: 'quiet', text: 'Read-only', more: '' }
    case 'offline':
      return { tone: 'warn', text: 'Offline', more: status.unsaved ? ': edits kept on this device' : '' }
    case 'reconnecting':
      return { tone: 'warn', text: 'Reconnecting', more: countdown(status.retryAt, nowMs) }
    case 'unsaveable':
      return { tone: 'warn', text: 'Cannot save', more: ' right now' }
    case 'refused':
      return { tone: 'bad', text: REFUSED[status.code]?.pill ?? 'Refused', more: '' }
    case 'replaced':
      return { tone: 'bad', text: 'Replaced', more: '' }
  }
}

/**
 * The banner of a status.
 *
 * `before` is the banner that stands now: an attempt to reconnect does not take it away, only its success does.
 */
export function bannerOf(
  status: Status,
  nowMs: number,
  here: Here,
  before: Banner | null,
  asker: Asker = 'everybody',
): Banner | null {
  switch (status.kind) {
    case 'saving':
    case 'saved':
      return null
    case 'readonly':
      if (!status.unsaved) return null
      return {
        tone: 'bad',
        text: `You may only read this document now: your last changes were not saved.${fateOf(here)}`,
        actions: ['copy', 'download', 'discard'],
      }
    case 'connecting':
      return before === null ? null : { tone: 'warn', text: 'Connecting…', actions: [] }
    case 'offline':
      return { tone: 'warn', text: `You are offline.${prospect(status.unsaved, here)}`, actions: [] }
    case 'reconnecting': {
      const trying = `${asSentence(status.reason || 'There is no connection')} Reconnecting${countdown(status.retryAt, nowMs)}`
      return { tone: 'warn', text: asSentence(trying) + prospect(status.unsaved, here), actions: ['retry'] }
    }
    case 'unsaveable': {
      const why = because(status.reason, UNSAVEABLE)
      const trying = `The server cannot save right now${why}. Trying again${countdown(status.retryAt, nowMs)}`
      return { tone: 'warn', text: asSentence(trying) + prospect(true, here), actions: ['retry'] }
    }
    case 'refused':
      return {
        tone: 'bad',
        text: tell(refusalOf(status.code, here, asker), status) + (status.unsaved ? fateOf(here) : ''),
        actions: waysOn(status, here, asker),
      }
    case 'replaced':
      return {
        tone: 'bad',
        text: 'This document was deleted or replaced on the server. What you see is your own copy: download it before you leave.',
        actions: ['copy', 'download', 'fresh'],
      }
  }
}

/** Whether the words change by themselves as time passes. */
export function countsDown(status: Status): boolean {
  return status.kind === 'reconnecting' || status.kind === 'unsaveable'
}

/** What the server answers where it cannot store: try again later. */
const UNSAVEABLE = 1013

/** Who is asking does not hold, or does not suffice. */
const SIGN_IN = 4401
const FORBIDDEN = 4403

const REFUSED: Readonly<Record<number, { pill: string; banner: string }>> = {
  1009: { pill: 'Too large', banner: 'This change is larger than the server takes' },
  4400: { pill: 'Refused', banner: 'The server could not understand this document' },
  4401: { pill: 'Not signed in', banner: 'You are not signed in' },
  4403: { pill: 'Not allowed', banner: 'You may not open this document' },
  4404: { pill: 'Not found', banner: 'This document does not exist' },
  4413: { pill: 'Too large', banner: 'This document is larger than the server takes' },
  [UNREADABLE]: { pill: 'Damaged', banner: 'The server cannot read this document' },
}

/** What the refusal means to somebody who had the document a moment ago, or never. */
function refusalOf(code: number, here: Here, asker: Asker): string {
  if (code === SIGN_IN && asker === 'user') return 'Your sign-in has expired'
  if ((code === SIGN_IN || code === FORBIDDEN) && here !== 'nothing') return 'You no longer have access'
  return REFUSED[code]?.banner ?? 'The server refused this document'
}

/** What may help, the likeliest first; no way leads out of a page before its edits have one. */
function waysOn({ code, unsaved }: { code: number; unsaved: boolean }, here: Here, asker: Asker): BannerAction[] {
  const isAboutAccess = code === SIGN_IN || code === FORBIDDEN
  const actions: BannerAction[] = []
  if (code === SIGN_IN || (isAboutAccess && asker === 'guest')) actions.push('sign-in')
  if ((isAboutAccess && here !== 'nothing') || code === UNREADABLE) actions.push('again')
  if (unsaved) actions.push('copy', 'download', 'discard')
  else actions.push('list')
  return actions
}

/** The headline, and the server's own words where they say more. */
function tell(headline: string, { code, reason }: { code: number; reason: string }): string {
  const words = reason.trim()
  if (words === '' || asSentence(words) === closeCode(code).sentence) return `${headline}.`
  const own = asSentence(words)
  return own.startsWith(headline) ? own : `${headline}. ${own}`
}

/** What becomes of edits that the server will not take now. */
function fateOf(here: Here): string {
  return here === 'kept' ? ' What you typed is kept on this device.' : ' What you typed is only in this tab: copy or download it before you leave.'
}

function countdown(retryAt: number, nowMs: number): string {
  const seconds = Math.ceil((retryAt - nowMs) / 1000)
  return seconds > 0 ? ` in ${seconds} s` : '…'
}

/** What the server gave as its reason, where that says more than the code does. */
function because(reason: string, code: number): string {
  const words = reason.trim().replace(/\.$/, '')
  return words === '' || asSentence(words) === closeCode(code).sentence ? '' : ` (${words})`
}

/** What that means for what one has written, or would like to. */
function prospect(unsaved: boolean, here: Here): string {
  switch (here) {
    case 'kept':
      return unsaved ? ' Your edits are kept on this device.' : ' You can go on writing; edits are kept on this device.'
    case 'fleeting':
      return unsaved ? ' Your edits are only in this tab: leave it open.' : ''
    case 'nothing':
      return ' This device has no copy of the document; it appears when the connection is back.'
  }
}
