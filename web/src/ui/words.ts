/** Reasons as sentences. The server writes its own in lower case and without a full stop, like errors in a log. */
import { ApiError } from './api'

export function asSentence(words: string): string {
  const text = words.trim()
  const upper = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?…]$/.test(upper) ? upper : `${upper}.`
}

/** What to tell somebody whose wish failed; `otherwise` where it was not the server who refused it. */
export function reasonOf(error: unknown, otherwise: string): string {
  return error instanceof ApiError ? asSentence(error.message) : otherwise
}

/** The server did not refuse, it could not answer: the same wish may be granted a moment later. */
export function mayWorkLater(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status === 0 || error.status >= 500
}
