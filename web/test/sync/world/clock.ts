/** A clock that only moves when a test says so. */

interface Alarm {
  readonly at: number
  readonly callback: () => void
}

export class Clock {
  #now = 1_000_000
  #lastId = 0
  readonly #alarms = new Map<number, Alarm>()

  readonly now = (): number => this.#now

  readonly setTimeout = (callback: () => void, delayMs: number): number => {
    this.#lastId += 1
    this.#alarms.set(this.#lastId, { at: this.#now + delayMs, callback })
    return this.#lastId
  }

  readonly clearTimeout = (id: unknown): void => {
    this.#alarms.delete(id as number)
  }

  /** Time passes; alarms ring in their order. */
  advance(ms: number): void {
    const until = this.#now + ms
    for (let next = this.#earliest(); next !== null && next.at <= until; next = this.#earliest()) {
      this.#now = Math.max(this.#now, next.at)
      this.#ring(next.id)
    }
    this.#now = until
  }

  /** The machine sleeps: time passes, and what was due rings late. */
  sleep(ms: number): void {
    this.#now += ms
    const due = [...this.#alarms].filter(([, { at }]) => at <= this.#now)
    for (const [id] of due) this.#ring(id)
  }

  #ring(id: number): void {
    const alarm = this.#alarms.get(id)
    this.#alarms.delete(id)
    alarm?.callback()
  }

  #earliest(): { id: number; at: number } | null {
    let earliest: { id: number; at: number } | null = null
    for (const [id, { at }] of this.#alarms) if (earliest === null || at < earliest.at) earliest = { id, at }
    return earliest
  }
}

/** Seeded randomness (mulberry32), so that a failing run can be run again. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
