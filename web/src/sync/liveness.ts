/**
 * Is somebody still at the other end? A pure core: the caller tells the time, sends the PINGs and sets the timers.
 *
 * 1. In a visible tab a half-open line is found within 10 s: a PING after 5 s of silence, given up 4.5 s later.
 * 2. In a hidden tab the PING waits for 30 s of silence, which spares batteries.
 * 3. A timer that fires late (sleep, throttling) proves nothing about the line: the answer may lie in the queue behind
 *    it. So the line is asked once more, with little patience.
 */

export const QUIET_MS = 5_000
export const QUIET_HIDDEN_MS = 30_000
/** Half a second less than what is left of the 10 s, for timers that are late. */
export const PATIENCE_MS = 4_500
/** After a wake-up the answer is awaited with less patience: somebody is looking at the page. */
export const PATIENCE_AWAKE_MS = 2_500
const LATE_MS = 1_000

export type Verdict = 'fine' | 'ping' | 'dead'

export class Liveness {
  #heardAt: number
  #giveUpAt: number | null = null
  #askedTwice = false

  constructor(now: number) {
    this.#heardAt = now
  }

  /** A frame arrived, whatever was in it. */
  heard(now: number): void {
    this.#heardAt = now
    this.#giveUpAt = null
    this.#askedTwice = false
  }

  /** Somebody came back to the page or the network changed: a PING is due now, and its answer soon. */
  probe(now: number): void {
    this.#giveUpAt = now + PATIENCE_AWAKE_MS
    this.#askedTwice = false
  }

  /** What to do now: send a PING, give the line up, or nothing. */
  check(now: number, tab: { readonly hidden: boolean }): Verdict {
    if (this.#giveUpAt === null) {
      if (now < this.#heardAt + quietMs(tab.hidden)) return 'fine'
      this.#giveUpAt = now + PATIENCE_MS
      return 'ping'
    }
    if (now < this.#giveUpAt) return 'fine'
    if (now < this.#giveUpAt + LATE_MS || this.#askedTwice) return 'dead'
    this.probe(now)
    this.#askedTwice = true
    return 'ping'
  }

  /** When `check` is to be called next. */
  wakeAt(tab: { readonly hidden: boolean }): number {
    return this.#giveUpAt ?? this.#heardAt + quietMs(tab.hidden)
  }
}

function quietMs(hidden: boolean): number {
  return hidden ? QUIET_HIDDEN_MS : QUIET_MS
}
