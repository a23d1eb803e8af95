import { IDBFactory, IDBObjectStore } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import * as Y from 'yjs'

import {
  COMPACT_AT_LOAD_ROWS,
  COMPACT_AT_ROWS,
  copyName,
  type LocalCopy,
  MAX_ASIDE,
  OfflineCopy,
  OPEN_TIMEOUT_MS,
} from '../../src/sync/offline'
import { Clock } from './world/clock'
import { World } from './world/world'

let world: World

beforeEach(() => {
  world = new World()
})

afterEach(async () => {
  vi.restoreAllMocks()
  await world.ends()
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
    expect(alice.status).toBe('saving')
    await world.settles()
    world.everyoneReads('hello')
    expect(alice.status).toBe('saved')
    await alice.closesTab()
    world.network.cut()
    expect((await alice.reopens()).text).toBe('')
  })
})

interface Tab {
  readonly copy: OfflineCopy
  readonly doc: Y.Doc
  readonly found: LocalCopy
  edit(change: (text: Y.Text) => void): void
}

const NOTHING = { content: new Uint8Array(), unsaved: null, made: 0 }

/** Tabs of one browser, each with its own document, that write one copy. */
class Browser {
  readonly factory = new IDBFactory()
  readonly clock = new Clock()
  #tabs = 0

  async tab(): Promise<Tab> {
    this.#tabs += 1
    const doc = new Y.Doc()
    let made = 0
    const snapshot = () => ({ content: Y.encodeStateAsUpdate(doc), unsaved: Y.encodeStateAsUpdate(doc), made })
    const copy = new OfflineCopy(this.factory, 'copy', `tab ${this.#tabs}`, snapshot, this.clock)
    const found = await copy.load()
    for (const update of found.content) Y.applyUpdate(doc, update)
    doc.on('update', (update: Uint8Array) => copy.putOwn((made += 1), update))
    return { copy, doc, found, edit: (change) => change(doc.getText('content')) }
  }
}

function textOf(updates: readonly Uint8Array[]): string {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc.getText('content').toString()
}

function sizeOf(updates: readonly Uint8Array[]): number {
  return updates.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

/** Updates of a peer who types and deletes it again. */
function rowsThatComeToNothing(count: number): Uint8Array[] {
  const peer = new Y.Doc()
  const rows: Uint8Array[] = []
  peer.on('update', (update: Uint8Array) => rows.push(update))
  const text = peer.getText('content')
  while (rows.length < count - 1) text.insert(text.length, 'long forgotten')
  text.delete(0, text.length)
  return rows
}

/** The disk is full until the returned function is called. */
function fullDisk(): () => void {
  const full = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
    throw new DOMException('the disk is full', 'QuotaExceededError')
  })
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  return () => full.mockRestore()
}

describe('a copy', () => {
  it('holds what was written before it was read', async () => {
    const browser = new Browser()
    const copy = new OfflineCopy(browser.factory, 'copy', 'early', () => NOTHING, browser.clock)
    const loading = copy.load()
    const doc = new Y.Doc()
    doc.getText('content').insert(0, 'early')
    copy.putOwn(1, Y.encodeStateAsUpdate(doc))
    await loading
    await copy.flush()
    const { found } = await browser.tab()
    expect([textOf(found.content), textOf(found.unsaved)]).toEqual(['early', 'early'])
  })

  it('forgets what is SAVED, and only that', async () => {
    const browser = new Browser()
    const { copy, edit } = await browser.tab()
    edit((text) => text.insert(0, 'a'))
    edit((text) => text.insert(1, 'b'))
    copy.saved(1)
    await copy.flush()
    const { found } = await browser.tab()
    expect(textOf(found.content)).toBe('ab')
    expect(found.unsaved).toHaveLength(1)
  })

  it('forgets what an earlier visit left once this one is SAVED', async () => {
    const browser = new Browser()
    const first = await browser.tab()
    first.edit((text) => text.insert(0, 'a'))
    await first.copy.flush()
    const second = await browser.tab()
    expect(second.found.unsaved).toHaveLength(1)
    second.copy.saved(0)
    await second.copy.flush()
    expect((await browser.tab()).found.unsaved).toEqual([])
  })

  it('is compacted, deleted text and all, and keeps what is unsaved', async () => {
    const browser = new Browser()
    const { copy, edit } = await browser.tab()
    copy.putRemote(rowsThatComeToNothing(COMPACT_AT_ROWS - 10))
    for (let row = 0; row < 20; row += 1) edit((text) => text.insert(text.length, 'y'))
    for (let round = 0; round < 3; round += 1) await copy.flush()
    const { found } = await browser.tab()
    expect(found.content.length).toBeLessThan(20)
    expect(found.unsaved.length).toBeLessThan(20)
    expect([textOf(found.content), textOf(found.unsaved)]).toEqual(['y'.repeat(20), 'y'.repeat(20)])
    expect(sizeOf(found.content)).toBeLessThan(1_000)
  })

  it('is compacted sooner when it is opened', async () => {
    const browser = new Browser()
    const { copy, edit } = await browser.tab()
    for (let row = 0; row < COMPACT_AT_LOAD_ROWS; row += 1) edit((text) => text.insert(text.length, 'x'))
    await copy.flush()
    const second = await browser.tab()
    await second.copy.flush()
    const { found } = await browser.tab()
    expect(found.content).toHaveLength(1)
    expect(textOf(found.content)).toBe('x'.repeat(COMPACT_AT_LOAD_ROWS))
  })

  it('loses nothing of one tab when another compacts', async () => {
    const browser = new Browser()
    const one = await browser.tab()
    const other = await browser.tab()
    other.edit((text) => text.insert(0, 'other'))
    one.copy.putRemote(rowsThatComeToNothing(COMPACT_AT_ROWS))
    other.edit((text) => text.insert(5, ' tab'))
    for (let round = 0; round < 3; round += 1) await Promise.all([one.copy.flush(), other.copy.flush()])
    const { found } = await browser.tab()
    expect(found.content.length).toBeLessThan(5)
    expect(textOf(found.content)).toBe('other tab')
  })

  it('stores no empty updates and no whole frames', async () => {
    const browser = new Browser()
    const { copy } = await browser.tab()
    const doc = new Y.Doc()
    doc.getText('content').insert(0, 'a')
    const update = Y.encodeStateAsUpdate(doc)
    const frame = new Uint8Array(100_000)
    frame.set(update, 500)
    copy.putRemote([new Uint8Array([0, 0]), frame.subarray(500, 500 + update.byteLength)])
    await copy.flush()
    const { found } = await browser.tab()
    expect(found.content.map((row) => row.buffer.byteLength)).toEqual([update.byteLength])
  })

  it('is done without where IndexedDB does not open', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const clock = new Clock()
    const hangs = { open: () => ({}) } as unknown as IDBFactory
    const copy = new OfflineCopy(hangs, 'copy', 'tab', () => NOTHING, clock)
    const loading = copy.load()
    copy.putOwn(1, new Uint8Array([0, 0]))
    clock.advance(OPEN_TIMEOUT_MS)
    expect((await loading).content).toEqual([])
    expect(warn).toHaveBeenCalledOnce()
  })

  it('has a name of its own for each server, user and document, whatever they are called', () => {
    const names = [copyName('a:b', 'c', ''), copyName('a', 'c', 'b'), copyName('a', 'b:c', '')]
    expect(new Set([...names, copyName('a', 'c', 'b:')]).size).toBe(4)
  })
})

describe('the stored watermark', () => {
  it('is written after the content for which it stands', async () => {
    const browser = new Browser()
    const { copy, edit } = await browser.tab()
    edit((text) => text.insert(0, 'a'))
    copy.witness('life', 1)
    expect((await browser.tab()).found).toMatchObject({ epoch: null, seq: null })
    await copy.flush()
    await copy.flush()
    expect((await browser.tab()).found).toMatchObject({ epoch: 'life', seq: 1 })
  })

  it('never falls, whichever tab is behind', async () => {
    const browser = new Browser()
    const [one, other] = [await browser.tab(), await browser.tab()]
    one.copy.witness('life', 7)
    for (let round = 0; round < 3; round += 1) await one.copy.flush()
    other.copy.witness('life', 5)
    for (let round = 0; round < 3; round += 1) await other.copy.flush()
    expect((await browser.tab()).found.seq).toBe(7)
  })

  it('stands still once a write has failed, until all of the content is written again', async () => {
    const browser = new Browser()
    const { copy, edit } = await browser.tab()
    const emptied = fullDisk()
    edit((text) => text.insert(0, 'a'))
    await copy.flush()
    emptied()
    copy.witness('life', 1)
    for (let round = 0; round < 3; round += 1) await copy.flush()
    expect((await browser.tab()).found).toMatchObject({ seq: null, content: [] })

    browser.clock.advance(10_000)
    edit((text) => text.insert(1, 'b'))
    await copy.flush()
    copy.witness('life', 2)
    for (let round = 0; round < 3; round += 1) await copy.flush()
    const { found } = await browser.tab()
    expect(found.seq).toBe(2)
    expect([textOf(found.content), textOf(found.unsaved)]).toEqual(['ab', 'ab'])
  })
})

describe('a copy that is set aside', () => {
  it('leaves nothing for the next visit', async () => {
    const browser = new Browser()
    const { copy, doc, edit } = await browser.tab()
    edit((text) => text.insert(0, 'old'))
    copy.witness('life', 3)
    await copy.setAside(Y.encodeStateAsUpdate(doc))
    expect((await browser.tab()).found).toEqual({ content: [], unsaved: [], epoch: null, seq: null })
    expect(textOf([(await copy.keptAside()) ?? new Uint8Array()])).toBe('old')
  })

  it('is not written to by a tab that has not heard of it', async () => {
    const browser = new Browser()
    const one = await browser.tab()
    const other = await browser.tab()
    await one.copy.setAside(null)
    other.edit((text) => text.insert(0, 'old life'))
    other.copy.witness('old life', 9)
    for (let round = 0; round < 3; round += 1) await other.copy.flush()
    expect((await browser.tab()).found).toEqual({ content: [], unsaved: [], epoch: null, seq: null })
  })

  it('is one of a few that are kept', async () => {
    const browser = new Browser()
    for (let life = 0; life < MAX_ASIDE + 3; life += 1) {
      const { copy, doc, edit } = await browser.tab()
      edit((text) => text.insert(0, `life ${life}`))
      await copy.setAside(Y.encodeStateAsUpdate(doc))
    }
    const { copy } = await browser.tab()
    expect(textOf([(await copy.keptAside()) ?? new Uint8Array()])).toBe(`life ${MAX_ASIDE + 2}`)
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = browser.factory.open('copy')
      request.onsuccess = () => resolve(request.result)
    })
    const count = await new Promise((resolve) => {
      const request = database.transaction('aside').objectStore('aside').count()
      request.onsuccess = () => resolve(request.result)
    })
    expect(count).toBe(MAX_ASIDE)
  })
})
