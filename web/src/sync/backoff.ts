/**
 * When to come again: exponential backoff with full jitter, so that clients which lost one server do not return as one.
 *
 * A server that says in GOAWAY when to come back has spread its clients itself; its word replaces one delay.
 */

export const BACKOFF_BASE_MS = 500
export const BACKOFF_CAP_MS = 30_000

export class Backoff {
  #failures = 0
  #asked: number | null = null

  constructor(
    private readonly random: () => number,
    private readonly baseMs = BACKOFF_BASE_MS,
    private readonly capMs = BACKOFF_CAP_MS,
  ) {}

  /** The delay before the next attempt, in milliseconds. */
  takeDelayMs(): number {
    const asked = this.#asked
    this.#asked = null
    const ceiling = Math.min(this.capMs, this.baseMs * 2 ** this.#failures)
    // 2 ** 1024 is Infinity: the exponent stops growing where the cap has long been reached.
    this.#failures = Math.min(this.#failures + 1, 30)
    return asked ?? Math.floor(this.random() * ceiling)
  }

  /** The server asked for this delay before the next attempt. */
  ask(delayMs: number): void {
    this.#asked = delayMs
  }

  /** Only a synced document proves that coming again was worth it; an accepted socket does not. */
  reset(): void {
    this.#failures = 0
    this.#asked = null
  }
}
