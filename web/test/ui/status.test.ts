import { describe, expect, it } from 'vitest'
import { closeCode } from '../../src/protocol/errors'
import type { Status } from '../../src/sync/status'
import { bannerOf, countsDown, pillOf, type Asker, type Here } from '../../src/ui/status'

const NOW = 1_000_000
const RECONNECTING: Status = { kind: 'reconnecting', retryAt: NOW + 4_200, reason: '', unsaved: true }
const UNSAVEABLE: Status = { kind: 'unsaveable', retryAt: NOW + 1_000, reason: 'The disk is full.' }

function said(status: Status, { at = NOW, here = 'kept' as Here, asker = 'everybody' as Asker } = {}): string | null {
  return bannerOf(status, at, here, null, asker)?.text ?? null
}

const refusal = (code: number, reason = '', unsaved = false): Status => ({ kind: 'refused', code, reason, unsaved })

describe('pillOf', () => {
  it.each<[Status, string]>([
    [{ kind: 'connecting' }, 'Connecting…'],
    [{ kind: 'saving' }, 'Saving…'],
    [{ kind: 'saved' }, 'Saved'],
    [{ kind: 'readonly', unsaved: false }, 'Read-only'],
    [{ kind: 'readonly', unsaved: true }, 'Not saved: read-only'],
    [{ kind: 'offline', unsaved: true }, 'Offline: edits kept on this device'],
    [{ kind: 'offline', unsaved: false }, 'Offline'],
    [RECONNECTING, 'Reconnecting in 5 s'],
    [UNSAVEABLE, 'Cannot save right now'],
    [refusal(4403), 'Not allowed'],
    [refusal(4999), 'Refused'],
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
    const kinds: Status[] = [{ kind: 'saving' }, { kind: 'connecting' }, RECONNECTING, UNSAVEABLE, { kind: 'readonly', unsaved: true }]
    expect(kinds.map((status) => pillOf(status, NOW).tone)).not.toContain('good')
    expect(pillOf({ kind: 'saved' }, NOW).tone).toBe('good')
  })
})

describe('bannerOf', () => {
  it('is quiet while all is well', () => {
    for (const kind of ['saved', 'saving', 'connecting'] as const) expect(said({ kind })).toBeNull()
    expect(said({ kind: 'readonly', unsaved: false })).toBeNull()
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
    expect(said(refusal(4403, 'ask Ada'), { here: 'nothing' })).toBe('You may not open this document. Ask Ada.')
  })

  it('does not give a reason that only says the code again', () => {
    expect(said(refusal(4403, closeCode(4403).sentence), { here: 'nothing' })).toBe('You may not open this document.')
    expect(said(refusal(4401, 'your sign-in has expired: sign in again'), { asker: 'user' })).toBe('Your sign-in has expired: sign in again.')
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
    expect(said({ kind: 'replaced', reason: '' })).toMatch(/your own copy: download it before you leave\.$/)
    expect(bannerOf({ kind: 'replaced', reason: '' }, NOW, 'kept', null)?.actions).toEqual(['copy', 'download', 'fresh'])
    expect(bannerOf(refusal(4404), NOW, 'nothing', null)?.actions).toEqual(['list'])
  })
})

describe('the banner of lost access', () => {
  const actions = (status: Status, here: Here, asker: Asker) => bannerOf(status, NOW, here, null, asker)?.actions

  it('never passes over edits that were not saved', () => {
    for (const status of [refusal(4401, '', true), refusal(4403, '', true), refusal(4413, '', true), { kind: 'readonly', unsaved: true } as const]) {
      expect(said(status)).toMatch(/ What you typed is kept on this device\.$/)
      expect(said(status, { here: 'fleeting' })).toMatch(/ What you typed is only in this tab: copy or download it/)
      expect(actions(status, 'kept', 'user')).toContain('download')
    }
    expect(said(refusal(4401))).not.toContain('What you typed')
  })

  it('says what has happened, to whoever was signed in and to a guest', () => {
    expect(said(refusal(4401), { asker: 'user' })).toBe('Your sign-in has expired.')
    expect(said(refusal(4401, 'this link was taken back: ask for a new one'), { asker: 'guest' })).toBe(
      'You no longer have access. This link was taken back: ask for a new one.',
    )
    expect(said(refusal(4403), { asker: 'user' })).toBe('You no longer have access.')
    expect(said(refusal(4401), { here: 'nothing', asker: 'guest' })).toBe('You are not signed in.')
  })

  it('offers to sign in, to try again, and one’s own copy', () => {
    expect(actions(refusal(4401, '', true), 'kept', 'user')).toEqual(['sign-in', 'again', 'copy', 'download', 'discard'])
    expect(actions(refusal(4401), 'nothing', 'guest')).toEqual(['sign-in', 'list'])
    expect(actions(refusal(4403), 'nothing', 'user')).toEqual(['list'])
    expect(actions(refusal(4403, '', true), 'kept', 'guest')).toEqual(['sign-in', 'again', 'copy', 'download', 'discard'])
  })

  it('offers a way out where the server will never take the edits', () => {
    expect(actions({ kind: 'readonly', unsaved: true }, 'kept', 'user')).toEqual(['copy', 'download', 'discard'])
    expect(actions(refusal(4413, '', true), 'kept', 'everybody')).toEqual(['copy', 'download', 'discard'])
  })
})

describe('the banner of a document that the server cannot read', () => {
  const words = 'the document is damaged on the server, its operator has to repair it'

  it('says whose turn it is, what becomes of edits, and lets people look again', () => {
    expect(said(refusal(4423, words, true))).toBe(
      'The server cannot read this document. The document is damaged on the server, its operator has to repair it. What you typed is kept on this device.',
    )
    expect(bannerOf(refusal(4423, words, true), NOW, 'kept', null)?.actions).toEqual(['again', 'copy', 'download', 'discard'])
    expect(bannerOf(refusal(4423, words), NOW, 'nothing', null)?.actions).toEqual(['again', 'list'])
  })
})

describe('the words of a status', () => {
  it('tick only where a time is shown', () => {
    expect(countsDown(RECONNECTING)).toBe(true)
    expect(countsDown({ kind: 'offline', unsaved: true })).toBe(false)
  })
})
