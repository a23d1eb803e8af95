import { describe, expect, it } from 'vitest'
import { endInWords, holderOf, madeInWords, sharedBy, SPANS, USUAL_SPAN_S } from '../../src/ui/share/words'

const NOW = new Date('2026-05-10T12:00:00Z')

describe('endInWords', () => {
  it.each([
    ['2026-05-17T12:00:00Z', 'ends in 7 days'],
    ['2026-05-17T11:58:00Z', 'ends in 7 days'],
    ['2026-05-11T12:00:00Z', 'ends in 24 hours'],
    ['2026-05-10T13:00:00Z', 'ends in 60 minutes'],
    ['2026-05-10T12:00:20Z', 'ends in 1 minute'],
    ['2026-05-10T11:59:00Z', 'has ended'],
    [null, 'never ends'],
  ])('says %s as "%s"', (moment, words) => {
    expect(endInWords(moment, NOW, 'en')).toBe(words)
  })
})

describe('the words of share links', () => {
  it('count', () => {
    expect([sharedBy(1), sharedBy(2)]).toEqual(['Shared by 1 link', 'Shared by 2 links'])
  })

  it('name whoever holds a link', () => {
    expect([holderOf('Ben '), holderOf(' ')]).toEqual(['Ben', 'Anyone with the link'])
  })

  it('say who made a link, and when', () => {
    const link = { created_by: 'Ana', created_at: '2026-05-10T11:55:00Z' }
    expect(madeInWords(link, NOW, 'en')).toBe('made by Ana, 5 minutes ago')
    expect(madeInWords({ ...link, created_by: '' }, NOW, 'en')).toBe('made 5 minutes ago')
  })

  it('offer the usual span among the others', () => {
    expect(SPANS.map(({ seconds }) => seconds)).toContain(USUAL_SPAN_S)
  })
})
