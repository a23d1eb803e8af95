import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { NOTES, World } from './world/world'

let world: World

beforeEach(() => {
  world = new World()
})

afterEach(() => world.ends())

describe('a sign-in that ends in the middle of typing', () => {
  it('is told together with what is not saved', async () => {
    const alice = await world.person('alice')
    world.server.commitsAtOnce = false
    alice.types('typed')
    world.server.closeChannels(NOTES, 4401, 'your sign-in has expired')
    await world.settles()
    expect(alice.provider.status).toEqual({ kind: 'refused', code: 4401, reason: 'your sign-in has expired', unsaved: true })
    expect(alice.provider.unsaved).toBe(true)
    expect(alice.provider.keepsCopy).toBe(true)
  })

  it('leaves the edits to the next try, which has a socket of its own', async () => {
    const alice = await world.person('alice')
    world.server.closeChannels(NOTES, 4401)
    await world.settles()
    alice.types('typed')
    alice.provider.connect()
    await world.settles()
    expect(alice.provider.status).toEqual({ kind: 'saved' })
    expect(world.network.attempts).toHaveLength(2)
    world.everyoneReads('typed')
  })

  it('leaves the edits to the page that comes after it', async () => {
    const alice = await world.person('alice', { user: 'alice' })
    world.server.closeChannels(NOTES, 4401)
    await world.settles()
    alice.types('typed')
    await alice.closesTab()
    const stranger = await alice.reopens({ user: 'mallory' })
    expect(stranger.text).toBe('')
    const later = await alice.reopens({ user: 'alice' })
    expect(later.status).toBe('saved')
    world.everyoneReads('typed')
  })

  it('leaves the edits of a guest to whom they turn out to be, and to nobody else', async () => {
    const guest = await world.person('guest')
    guest.types('saved, ')
    await world.settles()
    world.server.closeChannels(NOTES, 4401)
    await world.settles()
    guest.types('typed')
    await guest.closesTab()
    const stranger = await guest.reopens({ user: 'mallory' })
    expect(stranger.text).toBe('saved, ')
    const alice = await guest.reopens({ user: 'alice', heirOf: '' })
    expect(alice.status).toBe('saved')
    world.everyoneReads('saved, typed')
    const later = await guest.reopens({ user: 'bob', heirOf: '' })
    expect(later.statuses).not.toContainEqual({ kind: 'saving' })
  })

  it('does not mix what a guest left into another life of the document', async () => {
    const guest = await world.person('guest')
    guest.types('old life')
    await world.settles()
    world.network.cut()
    guest.types(', typed')
    await world.settles()
    await guest.closesTab()
    world.server.delete(NOTES)
    world.network.restore()
    const other = await guest.reopens({ user: 'alice' })
    await other.closesTab()
    const alice = await guest.reopens({ user: 'alice', heirOf: '' })
    expect(alice.text).toBe('')
    expect(alice.status).toBe('saved')
  })

  it('takes a new socket also where another document of the page holds the old one', async () => {
    const alice = await world.person('alice')
    const environment = alice.device.tab()
    const one = await world.person('alice', { environment, device: alice.device, document: 'one' })
    const two = await world.person('alice', { environment, device: alice.device, document: 'two' })
    const before = world.network.attempts.length
    world.server.closeChannels('one', 4401)
    await world.settles()
    one.provider.connect()
    await world.settles()
    expect(world.network.attempts).toHaveLength(before + 1)
    expect([one.status, two.status]).toEqual(['saved', 'saved'])
  })
})

describe('a permission to write that is taken away', () => {
  it('leaves what was under way unsaved, and says so', async () => {
    const alice = await world.person('alice')
    world.server.mode = 'read'
    alice.types('typed')
    await world.settles()
    expect(alice.provider.status).toEqual({ kind: 'readonly', unsaved: true })
    expect(world.server.text(NOTES)).toBe('')
  })

  it('leaves what was typed offline unsaved, and says so, also after a reload', async () => {
    const alice = await world.person('alice')
    world.network.cut()
    alice.types('typed')
    world.server.mode = 'read'
    world.network.restore()
    await world.waits(1_000)
    expect(alice.provider.status).toEqual({ kind: 'readonly', unsaved: true })
    await alice.closesTab()
    const later = await alice.reopens()
    expect(later.provider.status).toEqual({ kind: 'readonly', unsaved: true })
    expect(later.text).toBe('typed')
  })

  it('sends it all once it is given back', async () => {
    const alice = await world.person('alice')
    world.server.mode = 'read'
    alice.types('typed')
    await world.settles()
    world.server.mode = 'write'
    world.server.closeChannels(NOTES, 1012, 'your permission has changed')
    await world.waits(1_000)
    expect(alice.status).toBe('saved')
    world.everyoneReads('typed')
  })

  it('lets its author give up the edits, and begin again with what the server has', async () => {
    const alice = await world.person('alice')
    alice.types('saved, ')
    await world.settles()
    world.server.mode = 'read'
    alice.types('lost')
    await world.settles()
    world.people.splice(0, 1)
    await alice.provider.discard()
    const fresh = await alice.reopens()
    expect(fresh.provider.status).toEqual({ kind: 'readonly', unsaved: false })
    world.everyoneReads('saved, ')
  })
})

describe('what this device keeps', () => {
  it('is nothing where it has no storage for pages', async () => {
    const alice = await world.person('alice', { offline: false })
    expect(alice.provider.keepsCopy).toBe(false)
  })

  it('is still said to be kept once it was set aside', async () => {
    const alice = await world.person('alice')
    alice.types('text')
    await world.settles()
    world.server.delete(NOTES)
    await world.settles()
    expect(alice.status).toBe('replaced')
    expect(alice.provider.keepsCopy).toBe(true)
  })
})
