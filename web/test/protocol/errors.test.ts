import { describe, expect, it } from 'vitest'

import { CLOSE_CODES, closeCode } from '../../src/protocol/errors'

describe('a close code', () => {
  it('asks for what docs/protocol.md says', () => {
    const actions = Object.entries(CLOSE_CODES).map(([code, { action }]) => [Number(code), action])
    expect(Object.fromEntries(actions)).toEqual({
      1003: 'stop',
      1009: 'stop',
      1012: 'retry',
      1013: 'retry',
      4400: 'stop',
      4401: 'stop',
      4403: 'stop',
      4404: 'stop',
      4408: 'retry',
      4409: 'replaced',
      4413: 'stop',
      4423: 'stop',
      4429: 'retry',
    })
  })

  it('has a sentence for a person', () => {
    for (const { sentence } of Object.values(CLOSE_CODES)) expect(sentence).toMatch(/^[A-Z].+\.$/)
  })

  it('stops the client where it is of a later version', () => {
    expect(closeCode(4499).action).toBe('stop')
  })

  it('that only says that the line is gone lets the client come again', () => {
    for (const code of [1000, 1001, 1005, 1006, 1011]) expect(closeCode(code).action).toBe('retry')
  })
})
