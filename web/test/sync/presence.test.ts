import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { World } from './world/world'

// y-protocols takes Date.now when it is imported; imports run after this.
const time = vi.hoisted(() => {
  const real = Date.now
  const skew = { ms: 0 }
  Date.now = () => real() + skew.ms
  return skew
})

let world: World

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  world = new World()
})

afterEach(async () => {
  await world.ends()
  vi.useRealTimers()
  time.ms = 0
})

async function named(name: string): Promise<Awaited<ReturnType<World['person']>>> {
  const person = await world.person(name)
  person.provider.awareness.setLocalState({ name })
  await world.waits(100)
  return person
}

const sent = (): number => world.server.received.filter(({ type }) => type === 'awareness').length

describe('who is here', () => {
  it('is seen by those who are here and by those who come', async () => {
    const alice = await named('alice')
    const bob = await named('bob')
    expect([alice.sees, bob.sees]).toEqual([['bob'], ['alice']])
  })

  it('is told at most every 50 ms, and the last state wins', async () => {
    const alice = await named('alice')
    const bob = await named('bob')
    const before = sent()
    for (let cursor = 0; cursor < 20; cursor += 1) {
      alice.provider.awareness.setLocalState({ name: `alice at ${cursor}` })
    }
    await world.settles()
    world.clock.advance(50)
    await world.settles()
    expect(sent() - before).toBe(2)
    expect(bob.sees).toEqual(['alice at 19'])
  })

  it('is gone for the others when a tab is closed', async () => {
    const alice = await named('alice')
    const bob = await named('bob')
    await bob.closesTab()
    await world.settles()
    expect(alice.sees).toEqual([])
  })

  it('is gone for the one whose line is lost, and back with the line', async () => {
    const alice = await named('alice')
    const bob = await named('bob')
    world.network.cut()
    expect([alice.sees, bob.sees]).toEqual([[], []])
    world.network.restore()
    await world.waits(2_000)
    expect([alice.sees, bob.sees]).toEqual([['bob'], ['alice']])
  })

  it('is seen again by those who stayed, although the server had told that we left', async () => {
    const alice = await named('alice')
    const bob = await named('bob')
    bob.provider.disconnect()
    await world.settles()
    expect(alice.sees).toEqual([])
    bob.provider.connect()
    await world.settles()
    expect(alice.sees).toEqual(['bob'])
  })

  it('is known again after a lost line, although nobody else has moved', async () => {
    const alice = await named('alice')
    await named('bob')
    alice.provider.disconnect()
    alice.provider.connect()
    await world.settles()
    expect(alice.sees).toEqual(['bob'])
  })

  it('is not dropped for being silent while the line is fine, as a hidden tab is', async () => {
    const alice = await named('alice')
    await named('bob')
    time.ms += 3_600_000
    vi.advanceTimersByTime(3_000)
    expect(alice.sees).toEqual(['bob'])
  })

  it('renews its own clock', async () => {
    await named('alice')
    const before = sent()
    time.ms += 16_000
    vi.advanceTimersByTime(3_000)
    await world.waits(100)
    expect(sent()).toBeGreaterThan(before)
  })

  it('says so when somebody took it for gone', async () => {
    const alice = await named('alice')
    const bob = await named('bob')
    const { awareness } = world.server.documents.get('notes') as { awareness: typeof bob.provider.awareness }
    const clock = (awareness.meta.get(bob.doc.clientID)?.clock ?? 0) + 1
    const removal = new Uint8Array([1, bob.doc.clientID, clock, 4, ...new TextEncoder().encode('null')])
    world.server.tell('notes', (channel) => ({ type: 'presence', channel, awareness: removal }))
    await world.waits(200)
    expect(alice.sees).toEqual(['bob'])
  })

  it('is not told to a server that is not there', async () => {
    const alice = await named('alice')
    world.network.cut()
    const before = sent()
    alice.provider.awareness.setLocalState({ name: 'still alice' })
    await world.waits(2_000)
    expect(sent()).toBe(before)
  })
})
