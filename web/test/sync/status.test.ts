import { describe, expect, it } from 'vitest'

import { connectionOf, deriveStatus, type Facts, mayEdit, NO_TROUBLE, type Status } from '../../src/sync/status'

const trouble = { code: 1006, reason: 'lost', retryAt: 99 }
const open: Facts = {
  line: 'up',
  lineTrouble: NO_TROUBLE,
  channel: 'open',
  channelTrouble: NO_TROUBLE,
  network: true,
  mode: 'write',
  unsaved: false,
  holding: false,
}
const given = (facts: Partial<Facts>) => deriveStatus({ ...open, ...facts })

describe('the status', () => {
  it('is saved where the document is open and nothing is unsaved', () => {
    expect(given({})).toEqual({ kind: 'saved' })
  })

  it('is saving where something is unsaved', () => {
    expect(given({ unsaved: true })).toEqual({ kind: 'saving' })
  })

  it('is never saved while the document is not open, or something is unsaved, or edits are held back', () => {
    const others = [
      { unsaved: false, holding: false, network: false },
      { unsaved: false, holding: false, network: true },
      { unsaved: true, holding: false, network: true },
      { unsaved: false, holding: true, network: true },
    ]
    for (const line of ['idle', 'connecting', 'up', 'waiting', 'offline', 'refused'] as const) {
      for (const channel of ['away', 'opening', 'open', 'waiting', 'refused', 'replaced'] as const) {
        for (const facts of others) {
          const isSaved = given({ line, channel, ...facts }).kind === 'saved'
          expect(isSaved).toBe(line === 'up' && channel === 'open' && !facts.unsaved && !facts.holding)
        }
      }
    }
  })

  it('is readonly where the server grants no writing, and tells what is unsaved all the same', () => {
    expect(given({ mode: 'read' })).toEqual({ kind: 'readonly', unsaved: false })
    expect(given({ mode: 'read', unsaved: true })).toEqual({ kind: 'readonly', unsaved: true })
  })

  it('is connecting until the document is open', () => {
    expect(given({ line: 'connecting', channel: 'away' })).toEqual({ kind: 'connecting' })
    expect(given({ channel: 'away' })).toEqual({ kind: 'connecting' })
    expect(given({ channel: 'opening' })).toEqual({ kind: 'connecting' })
  })

  it('is reconnecting, with the time and the reason, where the line is lost', () => {
    const status = given({ line: 'waiting', channel: 'away', lineTrouble: trouble, unsaved: true })
    expect(status).toEqual({ kind: 'reconnecting', retryAt: 99, reason: 'lost', unsaved: true })
  })

  it('is reconnecting where only the channel is lost', () => {
    const status = given({ channel: 'waiting', channelTrouble: trouble })
    expect(status).toEqual({ kind: 'reconnecting', retryAt: 99, reason: 'lost', unsaved: false })
  })

  it('is offline where the device has no network, also while it tries', () => {
    for (const line of ['offline', 'waiting', 'connecting'] as const) {
      const status = given({ line, channel: 'away', network: false, unsaved: true })
      expect(status).toEqual({ kind: 'offline', unsaved: true })
    }
  })

  it('trusts a line that is up more than a device that says that it has no network', () => {
    expect(given({ network: false })).toEqual({ kind: 'saved' })
  })

  it('is offline where the app has disconnected', () => {
    expect(given({ line: 'idle', channel: 'away' })).toEqual({ kind: 'offline', unsaved: false })
  })

  it('is unsaveable while edits are held back, also while the channel is opened again', () => {
    for (const channel of ['open', 'waiting', 'opening'] as const) {
      const status = given({ channel, holding: true, unsaved: true, channelTrouble: trouble })
      expect(status).toEqual({ kind: 'unsaveable', retryAt: 99, reason: 'lost' })
    }
  })

  it('is refused where the server said no to the channel or to the line', () => {
    const no = { code: 4403, reason: 'no', retryAt: 0 }
    const refused = { kind: 'refused', code: 4403, reason: 'no', unsaved: false }
    expect(given({ line: 'idle', channel: 'refused', channelTrouble: no })).toEqual(refused)
    expect(given({ line: 'refused', channel: 'away', lineTrouble: no })).toEqual(refused)
    expect(given({ line: 'idle', channel: 'refused', channelTrouble: no, unsaved: true })).toEqual({ ...refused, unsaved: true })
  })

  it('is replaced where the document has another life', () => {
    const why = { code: 4409, reason: 'new', retryAt: 0 }
    const status = given({ line: 'idle', channel: 'replaced', channelTrouble: why })
    expect(status).toEqual({ kind: 'replaced', reason: 'new' })
  })
})

describe('what a status means', () => {
  const retry = { retryAt: 0, reason: '' }
  const no = { code: 4413, reason: '', unsaved: true }
  const cases: [Status, ReturnType<typeof connectionOf>, boolean][] = [
    [{ kind: 'connecting' }, 'connecting', true],
    [{ kind: 'saving' }, 'connected', true],
    [{ kind: 'saved' }, 'connected', true],
    [{ kind: 'readonly', unsaved: false }, 'connected', false],
    [{ kind: 'unsaveable', ...retry }, 'connected', true],
    [{ kind: 'offline', unsaved: false }, 'disconnected', true],
    [{ kind: 'reconnecting', unsaved: false, ...retry }, 'disconnected', true],
    [{ kind: 'refused', ...no }, 'disconnected', false],
    [{ kind: 'replaced', reason: '' }, 'disconnected', false],
  ]
  it.each(cases)('%j is %s in y-websocket’s words; one may edit: %s', (status, connection, editable) => {
    expect(connectionOf(status)).toBe(connection)
    expect(mayEdit(status)).toBe(editable)
  })
})
