import { describe, expect, it } from 'vitest'
import { closeCode } from '../../src/protocol/errors'
import type { Status } from '../../src/sync/status'
import { bannerOf, countsDown, hasUnsaved, mayEdit, pillOf, type Here } from '../../src/ui/status'

const NOW = 1_000_000
const RECONNECTING: Status = { kind: 'reconnecting', retryAt: NOW + 4_200, reason: '', unsaved: true }
const UNSAVEABLE: Status = { kind: 'unsaveable', retryAt: NOW + 1_000, reason: 'The disk is full.' }

function said(status: Status, { at = NOW, here = 'kept' as Here } = {}): string | null {
  return bannerOf(status, at, here, null)?.text ?? null
}

describe('pillOf', () => {
  it.each<[Status, string]>([
    [{ kind: 'connecting' }, 'Connecting…'],
    [{ kind: 'saving' }, 'Saving…'],
    [{ kind: 'saved' }, 'Saved'],
    [{ kind: 'readonly' }, 'Read-only'],
    [{ kind: 'offline', unsaved: true }, 'Offline: edits kept on this device'],
    [{ kind: 'offline', unsaved: false }, 'Offline'],
    [RECONNECTING, 'Reconnecting in 5 s'],
    [UNSAVEABLE, 'Cannot save right now'],
    [{ kind: 'refused', code: 4403, reason: '' }, 'Not allowed'],
    [{ kind: 'refused', code: 4999, reason: '' }, 'Refused'],
    [{ kind: 'replaced', reason: '' }, 'Replaced'],
  ])('says %j as %j', (status, words) => {
    const pill = pillOf(status, NOW)
    expect(pill.text + pill.more).toBe(words)
  })

  it('counts down to the attempt, then waits for it', () => {
    expect(pillOf(RECONNECTING, NOW + 3_300).more).toBe(' in 1 s')
    expect(pillOf(RECONNECTING, NOW + 4_200).more).toBe('…')
    expect(pillOf(RECONNECTING, NOW + 99_000).more).toBe('…')
  })

  it('is green only where everything is saved', () => {
    const kinds: Status[] = [{ kind: 'saving' }, { kind: 'connecting' }, RECONNECTING, UNSAVEABLE, { kind: 'readonly' }]
    expect(kinds.map((status) => pillOf(status, NOW).tone)).not.toContain('good')
    expect(pillOf({ kind: 'saved' }, NOW).tone).toBe('good')
  })
})

describe('bannerOf', () => {
  it('is quiet while all is well', () => {
    for (const kind of ['saved', 'saving', 'readonly', 'connecting'] as const) expect(said({ kind })).toBeNull()
  })

  it('promises that edits are kept only where they are', () => {
    expect(said(RECONNECTING)).toBe('There is no connection. Reconnecting in 5 s. Your edits are kept on this device.')
    expect(said(RECONNECTING, { here: 'fleeting' })).toBe('There is no connection. Reconnecting in 5 s. Your edits are only in this tab: leave it open.')
    expect(said({ kind: 'offline', unsaved: false }, { here: 'fleeting' })).toBe('You are offline.')
  })

  it('does not invite to write where there is nothing to write in', () => {
    expect(said({ kind: 'offline', unsaved: false }, { here: 'nothing' })).toBe(
      'You are offline. This device has no copy of the document; it appears when the connection is back.',
    )
  })

  it('gives the reason, and one full stop', () => {
    expect(said(UNSAVEABLE)).toBe('The server cannot save right now (The disk is full). Trying again in 1 s. Your edits are kept on this device.')
    expect(said(UNSAVEABLE, { at: NOW + 5_000 })).toContain('Trying again… Your edits')
    expect(said({ kind: 'refused', code: 4403, reason: 'ask Ada' })).toBe('You may not open this document (ask Ada).')
  })

  it('does not give a reason that only says the code again', () => {
    expect(said({ kind: 'refused', code: 4403, reason: closeCode(4403).sentence })).toBe('You may not open this document.')
    expect(said({ ...UNSAVEABLE, reason: closeCode(1013).sentence })).toMatch(/^The server cannot save right now\. Trying/)
    expect(said({ ...RECONNECTING, reason: 'The server is restarting.' })).toMatch(/^The server is restarting\. Reconnecting in 5 s\./)
  })

  it('stays through an attempt to reconnect, and goes with its success', () => {
    const before = bannerOf(RECONNECTING, NOW, 'kept', null)
    expect(bannerOf({ kind: 'connecting' }, NOW, 'kept', before)?.text).toBe('Connecting…')
    expect(bannerOf({ kind: 'saved' }, NOW, 'kept', before)).toBeNull()
  })

  it('offers what helps', () => {
    expect(bannerOf(RECONNECTING, NOW, 'kept', null)?.actions).toEqual(['retry'])
    expect(bannerOf({ kind: 'replaced', reason: '' }, NOW, 'kept', null)?.actions).toEqual(['download', 'fresh'])
    expect(bannerOf({ kind: 'refused', code: 4404, reason: '' }, NOW, 'kept', null)?.actions).toEqual(['list'])
  })
})

describe('what a status allows', () => {
  it('lets people write offline, but not where the server will never take it', () => {
    expect([RECONNECTING, UNSAVEABLE, { kind: 'offline', unsaved: false } as const].every(mayEdit)).toBe(true)
    expect(mayEdit({ kind: 'readonly' })).toBe(false)
    expect(mayEdit({ kind: 'refused', code: 4413, reason: '' })).toBe(false)
    expect(mayEdit({ kind: 'replaced', reason: '' })).toBe(false)
  })

  it('knows which edits the server has not confirmed', () => {
    expect(hasUnsaved({ kind: 'saving' })).toBe(true)
    expect(hasUnsaved(UNSAVEABLE)).toBe(true)
    expect(hasUnsaved(RECONNECTING)).toBe(true)
    expect(hasUnsaved({ kind: 'offline', unsaved: false })).toBe(false)
    expect(hasUnsaved({ kind: 'saved' })).toBe(false)
  })

  it('ticks only where a time is shown', () => {
    expect(countsDown(RECONNECTING)).toBe(true)
    expect(countsDown({ kind: 'offline', unsaved: true })).toBe(false)
  })
})
