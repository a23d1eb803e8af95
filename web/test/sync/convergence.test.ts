import { describe, expect, it } from 'vitest'

import { seeded } from './world/clock'
import { NOTES, type Person, World } from './world/world'

/** One run: several people edit at once on a network that delays, cuts and freezes, and a server that crashes. */
class Run {
  readonly world = new World()
  readonly #random: () => number
  /** Everything that anybody typed. */
  typed = ''

  constructor(
    seed: number,
    private readonly people: { readonly delete: boolean },
  ) {
    this.#random = seeded(seed)
    this.world.random = seeded(seed + 1)
    this.world.server.commitsAtOnce = false
  }

  async happens(steps: number): Promise<void> {
    for (const name of ['alice', 'bob', 'carol']) await this.world.person(name)
    for (let step = 0; step < steps; step += 1) await this.#step(step)
  }

  /** The network heals, the server commits, and everybody is given the time to come back. */
  async calmsDown(): Promise<void> {
    const { world } = this
    world.server.rejects = null
    world.network.reset()
    world.network.restore()
    for (let round = 0; round < 6; round += 1) {
      await world.waits(10_000)
      world.server.commit()
      await world.settles()
    }
  }

  async #step(step: number): Promise<void> {
    const { world } = this
    const person = this.#any(world.people)
    const chance = this.#random()
    if (chance < 0.35) this.#types(person, step)
    else if (chance < 0.5 && this.people.delete) this.#deletes(person)
    else if (chance < 0.75) for (let frames = this.#below(6); frames > 0; frames -= 1) world.network.deliverOne()
    else if (chance < 0.8) world.server.commit()
    else if (chance < 0.84) world.network.reset()
    else if (chance < 0.86) world.network.cut()
    else if (chance < 0.9) world.network.restore()
    else if (chance < 0.91) world.serverDies()
    else if (chance < 0.93) world.server.closeChannels(NOTES, 1013)
    else if (chance < 0.95) world.server.rejects = this.#random() < 0.5 ? { code: 1013, reason: 'full' } : null
    else if (chance < 0.97) await this.#reloads(person)
    else await world.waits(this.#below(2_000))
    await Promise.resolve()
  }

  #types(person: Person, step: number): void {
    const mark = `<${step}>`
    this.typed += mark
    person.types(mark, this.#below(person.text.length + 1))
  }

  #deletes(person: Person): void {
    if (person.text.length > 4) person.deletes(this.#below(person.text.length - 4), 1 + this.#below(4))
  }

  /** The tab is closed and opened again, sometimes beside a second one. */
  async #reloads(person: Person): Promise<void> {
    if (this.world.people.length > 3 || this.#random() < 0.5) await person.closesTab()
    await person.reopens()
  }

  #any<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}

const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + index)

describe('whatever the network does', () => {
  it.each(seeds(0, 40))('everybody ends with the same text, saved (seed %i)', async (seed) => {
    const run = new Run(seed, { delete: true })
    await run.happens(200)
    await run.calmsDown()
    const { world } = run
    expect(world.people.map(({ status }) => status)).toEqual(world.people.map(() => 'saved'))
    world.everyoneReads(world.server.text(NOTES))
    // What the server says it saved is what survives it.
    world.serverDies()
    world.everyoneReads(world.server.text(NOTES))
    await world.ends()
  })

  it.each(seeds(1000, 20))('nothing that was typed is lost or doubled (seed %i)', async (seed) => {
    const run = new Run(seed, { delete: false })
    await run.happens(200)
    await run.calmsDown()
    // Marks land inside each other, so letters are compared, not marks.
    expect([...run.world.server.text(NOTES)].sort()).toEqual([...run.typed].sort())
    await run.world.ends()
  })
})
