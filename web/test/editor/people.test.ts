import { describe, expect, it } from 'vitest'
import { cleanName, contrast, initials, inkOn, PALETTE, peoplePresent, profileOf, randomProfile, safeColor, standOut } from '../../src/editor/people'

const LIGHT_PAPER = '#fffefc'
const DARK_PAPER = '#1c1d21'
/** WCAG 2: text needs 4.5, the outline of a thing 3. */
const TEXT = 4.5
const THING = 3

describe('PALETTE', () => {
  it.each(PALETTE.map((entry) => [entry.name, entry.color]))('%s reads under a name and stands out in both themes', (_, color) => {
    expect(contrast(color, inkOn(color))).toBeGreaterThanOrEqual(TEXT)
    expect(contrast(color, LIGHT_PAPER)).toBeGreaterThanOrEqual(THING)
    expect(contrast(color, DARK_PAPER)).toBeGreaterThanOrEqual(THING)
  })

  it('has no colour twice', () => {
    expect(new Set(PALETTE.map((entry) => entry.color)).size).toBe(PALETTE.length)
  })
})

describe('contrast', () => {
  it('is 21 between black and white, 1 between equals', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21)
    expect(contrast('#3450c4', '#3450c4')).toBe(1)
  })
})

describe('inkOn', () => {
  it('writes dark on the bright colours that other clients choose', () => {
    expect(inkOn('#ffff00')).toBe('#16171a')
    expect(inkOn('#30bced')).toBe('#16171a')
    expect(inkOn('#000080')).toBe('#ffffff')
  })
})

describe('initials', () => {
  it.each([
    ['Ada Lovelace', 'AL'],
    ['Quiet Otter', 'QO'],
    ['plato', 'P'],
    ['Jean-Luc Picard', 'JP'],
    ['Ludwig van Beethoven', 'LB'],
    ['  élise  ', 'É'],
    ['李 小龍', '李小'],
    ['😀 Smile', 'S'],
    ['😀', '?'],
    ['', '?'],
  ])('of %j are %s', (name, letters) => {
    expect(initials(name)).toBe(letters)
  })
})

describe('cleanName', () => {
  it('is one short line without control characters', () => {
    expect(cleanName(' Ada\n\u202eLovelace\u0000 ')).toBe('Ada Lovelace')
    expect([...cleanName('😀'.repeat(100))]).toHaveLength(40)
    expect(cleanName(' \u200b ')).toBe('')
  })
})

describe('safeColor', () => {
  it('takes six digits and nothing that could be more than a colour', () => {
    expect(safeColor('#A1B2C3', 1)).toBe('#a1b2c3')
    for (const hostile of ['red', '#fff', 'url(https://evil.example)', '#123456;background:url(x)', 7, null]) {
      expect(PALETTE.map((entry) => entry.color)).toContain(safeColor(hostile, 4_294_967_295))
    }
  })
})

describe('standOut', () => {
  const channels = ['00', '1c', '40', '76', 'a0', 'd0', 'ff']
  const colors = channels.flatMap((red) => channels.flatMap((green) => channels.map((blue) => `#${red}${green}${blue}`)))

  it('makes any colour stand out in both themes, and read under a name', () => {
    for (const color of colors.map(standOut)) {
      expect(contrast(color, inkOn(color)), color).toBeGreaterThanOrEqual(TEXT)
      expect(contrast(color, LIGHT_PAPER), color).toBeGreaterThanOrEqual(THING)
      expect(contrast(color, DARK_PAPER), color).toBeGreaterThanOrEqual(THING)
    }
  })

  it('leaves alone what does so already', () => {
    for (const { color } of PALETTE) expect(standOut(color)).toBe(color)
  })
})

describe('profileOf', () => {
  it('survives whatever a peer has written', () => {
    for (const state of [null, undefined, 7, 'x', [], {}, { user: null }, { user: { name: {}, color: [], id: 5 } }]) {
      expect(profileOf(state, 9)).toMatchObject({ id: 'client-9', name: 'Anonymous' })
    }
  })
})

describe('randomProfile', () => {
  it('is a friendly name in a colour of ours', () => {
    expect(randomProfile('me', () => 0)).toEqual({ id: 'me', name: 'Quiet Otter', color: PALETTE[0].color })
    expect(randomProfile('me', () => 0.999).name).toBe('Bright Ibex')
  })
})

describe('peoplePresent', () => {
  const OPEN = { isSignedIn: false }
  const user = (id: string, name: string): unknown => ({ user: { id, name, color: '#2f62d9' } })

  it('puts oneself first and the others by name', () => {
    const states = new Map([[1, user('c', 'Cem')], [2, user('me', 'Zoe')], [3, user('a', 'Ann')]])
    expect(peoplePresent(states, 2, OPEN).map((person) => person.name)).toEqual(['Zoe', 'Ann', 'Cem'])
  })

  it('shows a person with several tabs once', () => {
    const states = new Map([[1, user('me', 'Zoe')], [2, user('a', 'Ann')], [3, user('a', 'Ann')], [4, user('me', 'Zoe')]])
    expect(peoplePresent(states, 1, OPEN).map(({ name, self, tabs }) => [name, self, tabs])).toEqual([
      ['Zoe', true, 2],
      ['Ann', false, 2],
    ])
  })

  it('calls oneself as this tab does, while another tab still has the old name', () => {
    const states = new Map([[1, user('me', 'Old')], [2, user('me', 'New')]])
    expect(peoplePresent(states, 2, OPEN)[0]).toMatchObject({ name: 'New', tabs: 2 })
  })

  it('keeps strangers without an id apart', () => {
    const states = new Map<number, unknown>([[1, user('me', 'Zoe')], [2, {}], [3, { user: { name: 'Guest' } }]])
    expect(peoplePresent(states, 1, OPEN).map((person) => person.name)).toEqual(['Zoe', 'Anonymous', 'Guest'])
  })
  it('does not let a guest who claims an id be taken for its owner, nor speak for them', () => {
    const guest = { user: { id: 'ana', name: 'Ana the Great', color: '#2f62d9' } }
    const ana = { user: { id: 'ana', name: 'Ana', color: '#2f62d9', verified: true } }
    const seenByBen = peoplePresent(new Map<number, unknown>([[1, user('ben', 'Ben')], [2, guest], [3, ana], [4, ana]]), 1, { isSignedIn: true })
    expect(seenByBen.map(({ name, verified, tabs }) => [name, verified, tabs])).toEqual([
      ['Ben', true, 1],
      ['Ana', true, 2],
      ['Ana the Great', false, 1],
    ])
    const seenByAna = peoplePresent(new Map<number, unknown>([[2, guest], [3, user('ana', 'Ana')], [4, ana]]), 3, { isSignedIn: true })
    expect(seenByAna.map(({ name, self, tabs }) => [name, self, tabs])).toEqual([
      ['Ana', true, 2],
      ['Ana the Great', false, 1],
    ])
  })

  it('takes nothing but the server’s own word for a verified name', () => {
    for (const verified of ['true', 1, {}, null]) {
      const states = new Map<number, unknown>([[1, user('me', 'Zoe')], [2, { user: { id: 'a', name: 'Ann', verified } }]])
      expect(peoplePresent(states, 1, OPEN)[1]?.verified).toBe(false)
    }
  })
})
