import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { NOTES, type Person, World } from './world/world'

let world: World

beforeEach(() => {
  world = new World()
})

afterEach(() => world.ends())

/** All that a provider tells, as lines. */
function news({ provider }: Person): string[] {
  const heard: string[] = []
  provider.on('status', ({ status }) => heard.push(status))
  provider.on('sync', (synced) => heard.push(`sync ${synced}`))
  provider.on('synced', (synced) => heard.push(`synced ${synced}`))
  provider.on('saved', (saved) => heard.push(`saved ${saved}`))
  provider.on('connection-error', ({ code }) => heard.push(`error ${code}`))
  provider.on('connection-close', ({ code }) => heard.push(`close ${code}`))
  provider.on('change', ({ kind }) => heard.push(kind))
  return heard
}

describe('what a provider tells', () => {
  it('is that it connects, and then that it is in step', async () => {
    const alice = await world.person('alice', { connect: false })
    const heard = news(alice)
    alice.provider.connect()
    await world.settles()
    expect(heard).toEqual(['connecting', 'connecting', 'connected', 'saved', 'sync true', 'synced true'])
  })

  it('is that an edit is not saved, and then that it is', async () => {
    const alice = await world.person('alice')
    const heard = news(alice)
    alice.types('a')
    await world.settles()
    expect(heard).toEqual(['saving', 'saved false', 'saved', 'saved true'])
  })

  it('is why the line is gone, for each try again, and that it is back', async () => {
    const alice = await world.person('alice')
    const heard = news(alice)
    world.network.cut()
    await world.settles()
    expect(heard.splice(0)).toEqual(['error 1006', 'close 1006', 'disconnected', 'reconnecting', 'sync false', 'synced false'])
    await world.waits(1_000)
    expect(heard.splice(0).slice(0, 3)).toEqual(['connecting', 'connecting', 'error 1006'])
    world.network.restore()
    await world.waits(2_000)
    expect(heard.slice(-4)).toEqual(['connected', 'saved', 'sync true', 'synced true'])
  })

  it('is the code with which the server closed the document', async () => {
    const alice = await world.person('alice')
    const heard = news(alice)
    world.server.closeChannels(NOTES, 4401)
    await world.settles()
    expect(heard).toEqual(['close 4401', 'disconnected', 'refused', 'sync false', 'synced false'])
  })

  it('is the newest also where a listener before has changed it', async () => {
    const alice = await world.person('alice')
    alice.provider.on('status', ({ status }) => {
      if (status === 'disconnected') alice.provider.disconnect()
    })
    const heard = news(alice)
    world.network.cut()
    await world.settles()
    expect(heard).toContain('offline')
    expect(heard).not.toContain('reconnecting')
  })

  it('is nothing once the provider is destroyed', async () => {
    const alice = await world.person('alice')
    const heard = news(alice)
    await alice.closesTab()
    await world.settles()
    expect(heard).toEqual([])
  })
})

describe('whenSaved', () => {
  it('resolves at once where nothing is unsaved', async () => {
    const alice = await world.person('alice')
    await alice.provider.whenSaved()
  })

  it('resolves with the commit, and not before', async () => {
    const alice = await world.person('alice')
    world.server.commitsAtOnce = false
    alice.types('a')
    let saved = false
    const asked = alice.provider.whenSaved().then(() => (saved = true))
    await world.settles()
    expect(saved).toBe(false)
    world.server.commit()
    await world.settles()
    await asked
  })

  it('rejects with the server’s reason where it will not take the edit', async () => {
    const alice = await world.person('alice')
    world.server.rejects = { code: 4413, reason: 'the document is full' }
    alice.types('a')
    const asked = expect(alice.provider.whenSaved()).rejects.toThrow('edits of notes are not saved: the document is full')
    await world.settles()
    await asked
  })

  it('rejects where one may only read', async () => {
    world.server.mode = 'read'
    const alice = await world.person('alice')
    alice.types('a')
    await expect(alice.provider.whenSaved()).rejects.toThrow('edits of notes are not saved: the document is readonly')
  })
})
