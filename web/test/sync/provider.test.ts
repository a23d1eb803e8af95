import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'

import { socketUrl } from '../../src/sync/socket'
import { NOTES, World } from './world/world'

let world: World

beforeEach(() => {
  world = new World()
})

afterEach(() => world.ends())

describe('two people in one document', () => {
  it('see what the other types', async () => {
    const alice = await world.person('alice')
    const bob = await world.person('bob')
    alice.types('hello')
    await world.settles()
    bob.types(' world')
    await world.settles()
    world.everyoneReads('hello world')
    expect([alice.status, bob.status]).toEqual(['saved', 'saved'])
  })

  it('get no echo: what came from the server is never sent back', async () => {
    const alice = await world.person('alice')
    await world.person('bob')
    alice.types('a')
    await world.settles()
    expect(world.server.received.filter(({ type }) => type === 'update')).toHaveLength(1)
  })

  it('delete text of each other', async () => {
    const alice = await world.person('alice')
    const bob = await world.person('bob')
    alice.types('hello')
    await world.settles()
    bob.deletes(0, 4)
    await world.settles()
    world.everyoneReads('o')
  })
})

describe('what is sent', () => {
  it('offers collabdoc.v1 at /ws of the address', async () => {
    await world.person('alice')
    expect(world.network.attempts).toEqual([{ url: 'ws://server/ws', protocols: ['collabdoc.v1'] }])
  })

  it.each([
    ['http://host', 'ws://host/ws'],
    ['https://host:8443/', 'wss://host:8443/ws'],
    ['ws://host/', 'ws://host/ws'],
    ['wss://host/team/docs/', 'wss://host/team/docs/ws'],
    ['wss://host/team/ws', 'wss://host/team/ws'],
  ])('goes from %s to %s', (address, socket) => {
    expect(socketUrl(address)).toBe(socket)
  })

  it('gathers the edits of one turn into one UPDATE', async () => {
    const alice = await world.person('alice')
    for (const letter of 'hello') alice.types(letter)
    await world.settles()
    const updates = world.server.received.filter((message) => message.type === 'update')
    expect(updates.map(({ id }) => id)).toEqual([1])
    expect(world.server.text(NOTES)).toBe('hello')
  })

  it('counts ids 1, 2, 3 from each OPEN on', async () => {
    const alice = await world.person('alice')
    for (const letter of 'abc') {
      alice.types(letter)
      await world.settles()
    }
    world.network.reset()
    await world.waits(1_000)
    alice.types('d')
    await world.settles()
    const updates = world.server.received.filter((message) => message.type === 'update')
    expect(updates.map(({ id }) => id)).toEqual([1, 2, 3, 1])
  })

  it('comes back with the epoch and the watermark that it saw last', async () => {
    const alice = await world.person('alice')
    alice.types('a')
    await world.settles()
    world.network.reset()
    await world.waits(1_000)
    const [first, second] = world.server.received.filter((message) => message.type === 'open')
    expect(first).toMatchObject({ epoch: null, seq: null })
    expect(second).toMatchObject({ epoch: 'life-1', seq: 1 })
  })

  it('sends nothing after OPENED when it has nothing to tell, whatever was deleted in the document', async () => {
    const alice = await world.person('alice')
    alice.types('hello')
    alice.deletes(0, 3)
    await world.settles()
    world.network.reset()
    await world.waits(1_000)
    expect(alice.status).toBe('saved')
    expect(world.server.received.filter(({ type }) => type === 'update')).toHaveLength(1)
  })

  it('sends what the document held before the provider came', async () => {
    await world.person('alice', { text: 'a draft' })
    world.everyoneReads('a draft')
  })

  it('sends the token with OPEN, and a new one with AUTH', async () => {
    const alice = await world.person('alice', { token: 'old' })
    alice.provider.setToken('new')
    await world.settles()
    expect(world.server.received.find(({ type }) => type === 'open')).toMatchObject({ token: 'old' })
    expect(world.server.received.find(({ type }) => type === 'auth')).toMatchObject({ token: 'new' })
  })

  it('gives the server back what it lost when it crashed before its commit', async () => {
    world.server.commitsAtOnce = false
    const alice = await world.person('alice')
    const bob = await world.person('bob')
    alice.types('hello')
    await world.settles()
    expect(bob.text).toBe('hello')
    world.people.shift() // alice never comes back
    await alice.provider.destroy()
    world.serverDies()
    await world.waits(1_000)
    world.everyoneReads('hello')
  })
})

describe('saved', () => {
  it('is said only once the server has committed', async () => {
    world.server.commitsAtOnce = false
    const alice = await world.person('alice')
    expect(alice.status).toBe('saved')
    alice.types('a')
    expect(alice.status).toBe('saving')
    await world.settles()
    expect(alice.status).toBe('saving')
    world.server.commit()
    await world.settles()
    expect(alice.status).toBe('saved')
  })

  it('is not said while an edit is made but not yet sent', async () => {
    const alice = await world.person('alice')
    alice.types('a')
    await world.settles()
    alice.types('b')
    expect(alice.status).toBe('saving')
  })

  it('is not said for an edit that an earlier SAVED cannot mean', async () => {
    world.server.commitsAtOnce = false
    const alice = await world.person('alice')
    alice.types('a')
    await world.settles()
    world.server.commit()
    alice.types('b')
    await world.settles()
    expect(alice.status).toBe('saving')
  })

  it('counts what a closed tab left unsaved', async () => {
    const alice = await world.person('alice')
    alice.types('hello')
    await world.settles()
    world.network.cut()
    alice.deletes(0, 1)
    await alice.closesTab()
    world.network.restore()
    world.server.commitsAtOnce = false
    const later = await alice.reopens()
    expect(later.text).toBe('ello')
    expect(later.status).toBe('saving')
    expect(world.server.text(NOTES)).toBe('ello')
    world.server.commit()
    await world.settles()
    expect(later.status).toBe('saved')
  })
})

describe('a document with a new life', () => {
  it('leaves the old copy aside and says so', async () => {
    const alice = await world.person('alice')
    alice.types('old text')
    await world.settles()
    world.network.cut()
    world.server.documents.delete(NOTES)
    await world.waits(1_000)
    world.network.restore()
    const bob = await world.person('bob')
    bob.types('new text')
    await world.waits(30_000)
    expect(alice.status).toBe('replaced')
    const kept = new Y.Doc()
    Y.applyUpdate(kept, (await alice.provider.keptAside()) ?? new Uint8Array([0, 0]))
    expect(kept.getText('content').toString()).toBe('old text')
    expect(world.server.text(NOTES)).toBe('new text')

    await alice.closesTab()
    const fresh = await alice.reopens()
    expect(fresh.text).toBe('new text')
    expect(fresh.status).toBe('saved')
    Y.applyUpdate(kept, (await fresh.provider.keptAside()) ?? new Uint8Array([0, 0]))
    expect(kept.getText('content').toString()).toBe('old text')
  })

  it('that was deleted under somebody with text is "replaced" too', async () => {
    const alice = await world.person('alice')
    alice.types('text')
    await world.settles()
    world.server.delete(NOTES)
    await world.settles()
    expect(alice.status).toBe('replaced')
    await alice.closesTab()
    const fresh = await alice.reopens()
    expect(fresh.text).toBe('')
    expect(fresh.status).toBe('saved')
  })

  it('that was deleted under somebody without text is refused with 4404, and can be made anew', async () => {
    const alice = await world.person('alice')
    world.server.delete(NOTES)
    await world.settles()
    expect(alice.provider.status).toMatchObject({ kind: 'refused', code: 4404 })
    await alice.closesTab()
    expect((await alice.reopens()).status).toBe('saved')
  })

  it('is not touched by another tab that still writes for the old one', async () => {
    const first = await world.person('first tab')
    first.types('old')
    await world.settles()
    const second = await first.reopens()
    await world.settles()
    world.network.cut()
    world.server.documents.delete(NOTES)
    world.network.restore()
    first.provider.retryNow()
    await world.settles()
    expect(first.status).toBe('replaced')
    second.provider.disconnect()
    second.types(' life')
    await world.settles()
    await first.closesTab()
    expect((await first.reopens()).text).toBe('')
  })
})

describe('the provider’s life', () => {
  it('begins when the app says so', async () => {
    const alice = await world.person('alice', { connect: false })
    expect(world.network.attempts).toHaveLength(0)
    alice.provider.connect()
    await world.settles()
    await alice.provider.whenSynced
    expect(alice.provider.synced).toBe(true)
  })

  it('ends on destroy: the socket is closed and the document is left in peace', async () => {
    const alice = await world.person('alice')
    await alice.closesTab()
    await world.settles()
    expect(world.network.sockets.size).toBe(0)
    expect(world.server.documents.get(NOTES)?.sessions.size).toBe(0)
  })

  it('sends what was just typed before it ends', async () => {
    const alice = await world.person('alice')
    alice.types('last words')
    await alice.closesTab()
    await world.settles()
    expect(world.server.text(NOTES)).toBe('last words')
  })
})
