import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { NOTES, World } from './world/world'

let world: World

beforeEach(() => {
  world = new World()
})

afterEach(() => world.ends())

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

  it('has not saved a delete that it rejected, although it saves what came behind it', async () => {
    const alice = await world.person('alice')
    alice.types('hello')
    await world.settles()
    world.server.rejects = { code: 1013, reason: 'the disk is full' }
    alice.deletes(0, 4)
    await Promise.resolve()
    alice.types('!')
    await Promise.resolve()
    while (!world.server.received.some((message) => message.type === 'update' && message.id === 2)) {
      world.network.deliverOne()
    }
    world.server.rejects = null
    await world.settles()
    expect(alice.status).toBe('unsaveable')
    await world.waits(1_000)
    expect(alice.status).toBe('saved')
    world.everyoneReads('o!')
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

describe('a late frame', () => {
  it('for a channel that is no more finds nobody', async () => {
    const alice = await world.person('alice')
    const [before] = [...(world.server.documents.get(NOTES)?.sessions ?? [])]
    world.server.closeChannels(NOTES, 1013)
    await world.waits(1_000)
    before?.peer.send({ type: 'closed', channel: before.channel, code: 4403, reason: 'too late' })
    await world.settles()
    expect(alice.status).toBe('saved')
  })
})
