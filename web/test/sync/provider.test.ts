import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import * as Y from 'yjs'

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

describe('a lost line', () => {
  it('comes back by itself, with what both sides did meanwhile', async () => {
    const alice = await world.person('alice')
    const bob = await world.person('bob')
    world.network.cut()
    alice.types('from alice. ')
    bob.types('from bob. ')
    expect(alice.provider.status).toMatchObject({ kind: 'reconnecting', unsaved: true })
    world.network.restore()
    await world.waits(1_000)
    expect(alice.text).toBe(bob.text)
    world.everyoneReads(alice.text)
    expect(alice.text).toHaveLength(22)
  })

  it('tells deletes that were made while it was lost', async () => {
    const alice = await world.person('alice')
    const bob = await world.person('bob')
    alice.types('hello')
    await world.settles()
    world.network.cut()
    bob.deletes(0, 4)
    world.network.restore()
    await world.waits(1_000)
    world.everyoneReads('o')
  })

  it('says when it will try again, and tries at once when asked to', async () => {
    const alice = await world.person('alice')
    world.network.cut()
    expect(alice.provider.status).toEqual({
      kind: 'reconnecting',
      retryAt: world.clock.now() + 250,
      reason: 'The connection to the server was lost.',
      unsaved: false,
    })
    world.network.restore()
    alice.provider.retryNow()
    await world.settles()
    expect(alice.status).toBe('saved')
  })

  it('is found within 10 s where it is half open', async () => {
    const alice = await world.person('alice')
    world.network.frozen = true
    await world.waits(10_000)
    expect(alice.status).toBe('reconnecting')
    world.network.reset()
    await world.waits(1_000)
    expect(alice.status).toBe('saved')
  })

  it('is found within 3 s when somebody comes back to the page', async () => {
    const alice = await world.person('alice')
    world.network.frozen = true
    await world.wakes('visible')
    await world.waits(2_500)
    expect(alice.status).toBe('reconnecting')
    world.network.reset()
  })

  it('survives a laptop that slept while the server stayed', async () => {
    const alice = await world.person('alice')
    await world.waits(5_100)
    world.clock.sleep(3_600_000)
    await world.settles()
    expect(alice.statuses.map(({ kind }) => kind)).not.toContain('reconnecting')
    expect(alice.status).toBe('saved')
  })

  it('is "offline" where the device has no network, and comes back with it', async () => {
    const alice = await world.person('alice')
    world.online = false
    world.network.cut()
    alice.types('a')
    expect(alice.provider.status).toEqual({ kind: 'offline', unsaved: true })
    await world.waits(60_000)
    expect(alice.status).toBe('offline')
    world.online = true
    world.network.restore()
    await world.wakes('online')
    expect(alice.status).toBe('saved')
    world.everyoneReads('a')
  })

  it('backs off further each time, and begins anew only once synced', async () => {
    const alice = await world.person('alice')
    world.network.cut()
    const delays: number[] = []
    alice.provider.on('status', (status) => {
      if (status.kind === 'reconnecting') delays.push(status.retryAt - world.clock.now())
    })
    await world.waits(8_000)
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000])
    world.network.restore()
    await world.waits(8_000)
    expect(alice.status).toBe('saved')
    world.network.cut()
    expect(delays.at(-1)).toBe(250)
  })
})

describe('a server that closes', () => {
  it('is left alone for as long as its GOAWAY says', async () => {
    const alice = await world.person('alice')
    const [socket] = world.network.sockets
    for (const peer of world.server.peers) peer.send({ type: 'goaway', retryAfterMs: 7_000, reason: 'restart' })
    await world.settles()
    socket?.die(1012, 'restart')
    expect(alice.provider.status).toMatchObject({ retryAt: world.clock.now() + 7_000, reason: 'restart' })
    await world.waits(6_900)
    expect(alice.status).toBe('reconnecting')
    await world.waits(100)
    expect(alice.status).toBe('saved')
  })

  it.each([1003, 1009, 4400, 4401, 4403, 4413])('with %i is not asked again', async (code) => {
    const alice = await world.person('alice')
    for (const socket of world.network.sockets) socket.die(code, '')
    await world.waits(120_000)
    expect(alice.provider.status).toMatchObject({ kind: 'refused', code })
    expect(world.network.attempts).toHaveLength(1)
  })

  it.each([1000, 1006, 1012, 1013, 4408, 4429])('with %i is asked again', async (code) => {
    const alice = await world.person('alice')
    for (const socket of world.network.sockets) socket.die(code, '')
    await world.waits(1_000)
    expect(alice.status).toBe('saved')
  })

  it.each([4400, 4401, 4403, 4413])('one channel with %i is told, and not opened again', async (code) => {
    const alice = await world.person('alice')
    world.server.closeChannels(NOTES, code, 'why')
    await world.waits(60_000)
    expect(alice.provider.status).toEqual({ kind: 'refused', code, reason: 'why' })
  })

  it.each([1012, 1013, 4408, 4429])('one channel with %i sees it again on the same socket', async (code) => {
    const alice = await world.person('alice')
    world.server.closeChannels(NOTES, code)
    await world.settles()
    expect(alice.status).toBe('reconnecting')
    await world.waits(1_000)
    expect(alice.status).toBe('saved')
    expect(world.network.attempts).toHaveLength(1)
  })

  it('may be asked again after a refusal, when the app says so', async () => {
    const alice = await world.person('alice')
    for (const socket of world.network.sockets) socket.die(4401, '')
    alice.provider.connect()
    await world.settles()
    expect(alice.status).toBe('saved')
  })
})

describe('a server that cannot store', () => {
  it('keeps the edit here, is read meanwhile, and gets the edit once it can', async () => {
    const alice = await world.person('alice')
    const bob = await world.person('bob')
    world.server.rejects = { code: 1013, reason: 'the disk is full' }
    alice.types('a')
    await world.settles()
    expect(alice.provider.status).toEqual({
      kind: 'unsaveable',
      retryAt: world.clock.now() + 250,
      reason: 'the disk is full',
    })
    world.server.rejects = null
    bob.types('b')
    await world.settles()
    expect(alice.text).toContain('b')
    await world.waits(1_000)
    expect(alice.status).toBe('saved')
    world.everyoneReads(alice.text)
  })

  it('gets no further UPDATE before the channel is opened again, and is asked less and less often', async () => {
    const alice = await world.person('alice')
    world.server.rejects = { code: 1013, reason: '' }
    alice.types('a')
    await world.settles()
    alice.types('b')
    await world.settles()
    const sent = () => world.server.received.filter(({ type }) => type === 'update').length
    expect(sent()).toBe(1)
    await world.waits(60_000)
    expect(sent()).toBeLessThan(12)
    expect(alice.provider.status).toMatchObject({ kind: 'unsaveable', reason: expect.stringContaining('server') })
  })
})

describe('read-only', () => {
  it('is told when the document opens so, and nothing is sent', async () => {
    world.server.mode = 'read'
    const alice = await world.person('alice')
    alice.types('a')
    await world.settles()
    expect(alice.status).toBe('readonly')
    expect(alice.provider.writable).toBe(false)
    expect(world.server.received.some(({ type }) => type === 'update')).toBe(false)
  })

  it('is told when an UPDATE is rejected with 4403', async () => {
    const alice = await world.person('alice')
    world.server.rejects = { code: 4403, reason: 'read only' }
    alice.types('a')
    await world.settles()
    expect(alice.status).toBe('readonly')
  })
})

describe('damage', () => {
  const error = vi.spyOn(console, 'error').mockImplementation(() => {})
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})

  // Whatever it does about it, the provider says on the console what came.
  afterEach(() => {
    expect(error.mock.calls.length + warn.mock.calls.length).toBe(1)
    error.mockClear()
    warn.mockClear()
  })

  it('in a frame closes the socket with 4400 and backs off', async () => {
    const alice = await world.person('alice')
    const [socket] = world.network.sockets
    socket?.sendRaw(new Uint8Array([0xc1]))
    await world.settles()
    expect(socket?.closedWith).toBe(4400)
    expect(alice.statuses.at(-1)?.kind).toBe('reconnecting')
    await world.waits(1_000)
    expect(alice.status).toBe('saved')
  })

  it('as a text frame closes the socket with 4400 and backs off', async () => {
    const alice = await world.person('alice')
    const [socket] = world.network.sockets
    socket?.sendRaw('hello')
    await world.waits(1_000)
    expect(socket?.closedWith).toBe(4400)
    expect(alice.status).toBe('saved')
  })

  it('in an update opens the channel again, without the watermark', async () => {
    const alice = await world.person('alice')
    alice.types('a')
    await world.settles()
    world.server.tell(NOTES, (channel) => ({ type: 'updates', channel, seq: 9, updates: [new Uint8Array([1, 1, 1])] }))
    await world.settles()
    expect(alice.status).toBe('reconnecting')
    await world.waits(1_000)
    expect(alice.status).toBe('saved')
    const [, second] = world.server.received.filter((message) => message.type === 'open')
    expect(second).toMatchObject({ epoch: 'life-1', seq: null })
  })

  it('in somebody’s presence is nobody’s business', async () => {
    const alice = await world.person('alice')
    world.server.tell(NOTES, (channel) => ({ type: 'presence', channel, awareness: new Uint8Array([1, 7, 1, 3, 97]) }))
    await world.settles()
    expect(alice.status).toBe('saved')
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

describe('the device’s copy', () => {
  it('shows the document before and without a server', async () => {
    const alice = await world.person('alice')
    alice.types('hello')
    await world.settles()
    await alice.closesTab()
    world.network.cut()
    expect((await alice.reopens()).text).toBe('hello')
  })

  it('lets the next visit resume from the watermark', async () => {
    const alice = await world.person('alice')
    alice.types('hello')
    await world.settles()
    await alice.closesTab()
    await alice.reopens()
    expect(world.server.received.findLast(({ type }) => type === 'open')).toMatchObject({ epoch: 'life-1', seq: 1 })
  })

  it('loses nothing of what two tabs of one browser type offline', async () => {
    const one = await world.person('one tab')
    const other = await one.reopens()
    world.network.cut()
    one.types('one ')
    other.types('other ')
    await one.closesTab()
    await other.closesTab()
    world.network.restore()
    const later = await one.reopens()
    expect(later.text).toHaveLength(10)
    expect(later.status).toBe('saved')
    world.everyoneReads(later.text)
  })

  it('keeps a tab’s deletes unsaved although another tab of the browser is saved', async () => {
    const one = await world.person('one tab')
    one.types('hello')
    await world.settles()
    const other = await one.reopens()
    one.provider.disconnect()
    one.deletes(0, 4)
    other.types('!')
    await world.settles()
    expect(other.status).toBe('saved')
    await one.closesTab()
    await other.closesTab()
    const later = await one.reopens()
    world.everyoneReads('o!')
    expect(later.status).toBe('saved')
  })

  it('is another one for each user', async () => {
    const alice = await world.person('alice', { user: 'alice' })
    alice.types('hello')
    await world.settles()
    await alice.closesTab()
    world.network.cut()
    expect((await alice.reopens({ user: 'bob' })).text).toBe('')
  })

  it('is not needed', async () => {
    const alice = await world.person('alice', { offline: false })
    alice.types('hello')
    await world.settles()
    expect(alice.status).toBe('saved')
    await alice.closesTab()
    world.network.cut()
    expect((await alice.reopens()).text).toBe('')
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
