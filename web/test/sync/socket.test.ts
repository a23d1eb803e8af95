import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { Device, NOTES, World } from './world/world'

let world: World

beforeEach(() => {
  world = new World()
})

afterEach(() => world.ends())

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
    expect(alice.statuses.map(({ kind }) => kind)).toContain('reconnecting')
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
    alice.provider.on('change', (status) => {
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

describe('a server that is not there', () => {
  it.each([false, true])('is asked again (a refused socket closes silently: %s)', async (silently) => {
    world.network.closesSilently = silently
    world.network.cut()
    const alice = await world.person('alice')
    expect(alice.provider.status).toMatchObject({ kind: 'reconnecting', reason: 'The server cannot be reached.' })
    await world.waits(1_000)
    world.network.restore()
    await world.waits(2_000)
    expect(alice.status).toBe('saved')
  })

  it('is given up after 10 s where a socket neither opens nor fails', async () => {
    world.network.frozen = true
    const alice = await world.person('alice')
    await world.waits(9_999)
    expect(alice.status).toBe('connecting')
    await world.waits(1)
    expect(alice.provider.status).toMatchObject({ kind: 'reconnecting', reason: 'The server does not answer.' })
    world.network.reset()
  })
})

describe('a server that closes', () => {
  it('as soon as it has accepted is asked less and less often', async () => {
    await world.person('alice')
    world.network.reset()
    const { server } = world
    const receive = server.receive.bind(server)
    server.receive = () => world.network.reset()
    await world.waits(60_000)
    expect(world.network.attempts.length).toBeLessThan(12)
    server.receive = receive
  })

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

  it.each([4400, 4401, 4403, 4413, 4423])('one channel with %i is told, and not opened again', async (code) => {
    const alice = await world.person('alice')
    world.server.closeChannels(NOTES, code, 'why')
    await world.waits(60_000)
    expect(alice.provider.status).toEqual({ kind: 'refused', code, reason: 'why', unsaved: false })
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

  it('one channel with 4423 sees it again once the server was restarted, with what was typed before', async () => {
    const alice = await world.person('alice')
    world.server.closeChannels(NOTES, 4423, 'damaged')
    await world.settles()
    alice.types('unsaved')
    await world.waits(60_000)
    expect(alice.provider.status).toEqual({ kind: 'refused', code: 4423, reason: 'damaged', unsaved: true })
    world.serverDies()
    await world.waits(1_000)
    expect(alice.status).toBe('saved')
    world.everyoneReads('unsaved')
  })

  it('may be asked again after a refusal, when the app says so', async () => {
    const alice = await world.person('alice')
    for (const socket of world.network.sockets) socket.die(4401, '')
    alice.provider.connect()
    await world.settles()
    expect(alice.status).toBe('saved')
  })
})

describe('a page with several documents', () => {
  const texts = (document: string) => world.server.text(document)

  it('opens them all on one socket', async () => {
    const tab = new Device(world).tab()
    const one = await world.person('one', { document: 'one', environment: tab })
    const two = await world.person('two', { document: 'two', environment: tab })
    one.types('1')
    two.types('2')
    await world.settles()
    expect(world.network.attempts).toHaveLength(1)
    expect([texts('one'), texts('two')]).toEqual(['1', '2'])
  })

  it('keeps the socket until the last is closed', async () => {
    const tab = new Device(world).tab()
    const one = await world.person('one', { document: 'one', environment: tab })
    const two = await world.person('two', { document: 'two', environment: tab })
    await one.closesTab()
    await world.settles()
    expect(world.network.sockets.size).toBe(1)
    expect(world.server.documents.get('one')?.sessions.size).toBe(0)
    await two.closesTab()
    await world.settles()
    expect(world.network.sockets.size).toBe(0)
  })

  it('has them all back with one attempt', async () => {
    const tab = new Device(world).tab()
    const people = [
      await world.person('one', { document: 'one', environment: tab }),
      await world.person('two', { document: 'two', environment: tab }),
    ]
    world.network.reset()
    await world.waits(1_000)
    expect(people.map(({ status }) => status)).toEqual(['saved', 'saved'])
    expect(world.network.attempts).toHaveLength(2)
  })

  it('loses one without the others', async () => {
    const tab = new Device(world).tab()
    const one = await world.person('one', { document: 'one', environment: tab })
    const two = await world.person('two', { document: 'two', environment: tab })
    world.server.closeChannels('one', 4403, 'no')
    await world.settles()
    expect([one.status, two.status]).toEqual(['refused', 'saved'])
  })
})
