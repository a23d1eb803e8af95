import { describe, expect, it } from 'vitest'

import { CHANNEL, LINE, move } from '../../src/sync/machine'

describe.each([
  ['line', LINE],
  ['channel', CHANNEL],
])('the table of the %s', (_, table: Record<string, Record<string, string>>) => {
  it('leads only to states that it has', () => {
    const targets = Object.values(table).flatMap((moves) => Object.values(moves))
    expect(Object.keys(table)).toEqual(expect.arrayContaining(targets))
  })

  it('leads to every state from its first', () => {
    const seen = new Set([Object.keys(table)[0] as string])
    for (const state of seen) for (const next of Object.values(table[state] ?? {})) seen.add(next)
    expect([...seen].sort()).toEqual(Object.keys(table).sort())
  })
})

describe('a line', () => {
  it('comes up, is lost, waits and comes up again', () => {
    expect(move(LINE, 'idle', 'start')).toBe('connecting')
    expect(move(LINE, 'connecting', 'up')).toBe('up')
    expect(move(LINE, 'up', 'lose')).toBe('waiting')
    expect(move(LINE, 'waiting', 'start')).toBe('connecting')
  })

  it('can be stopped in every state but the one where it is', () => {
    for (const [state, moves] of Object.entries(LINE)) expect(moves.stop).toBe(state === 'idle' ? undefined : 'idle')
  })
})

describe('a channel', () => {
  it('that is refused opens again only after a restart', () => {
    expect(CHANNEL.refused).toEqual({ restart: 'away' })
  })

  it('that is replaced is done', () => {
    expect(CHANNEL.replaced).toEqual({})
  })

  it('ignores an OPENED that comes too late', () => {
    expect(move(CHANNEL, 'waiting', 'opened')).toBeNull()
    expect(move(CHANNEL, 'away', 'opened')).toBeNull()
  })
})
