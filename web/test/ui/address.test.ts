import { describe, expect, it } from 'vitest'
import { isShareToken, readFragment, safeNext, signInAddress, tokenIn } from '../../src/ui/address'

const HOME = 'https://docs.example'

describe('readFragment', () => {
  it('finds the token of a share link', () => {
    expect(readFragment('#cds_a1-B2_c3')).toEqual({ token: 'cds_a1-B2_c3', next: null })
  })

  it('finds somebody’s token, and where to go on', () => {
    expect(readFragment('#token=ey.J-0._x&next=/d/notes/today')).toEqual({ token: 'ey.J-0._x', next: '/d/notes/today' })
    expect(readFragment('#next=%2Fd%2Fa%20b&token=x')).toEqual({ token: 'x', next: '/d/a b' })
  })

  it.each(['', '#', '#heading', '#token=', '#token=%20', '#next=/d/a', '#cds_', '#cds_<script>'])('leaves %j alone', (fragment) => {
    expect(readFragment(fragment)).toEqual({ token: null, next: null })
  })
})

describe('tokenIn', () => {
  it('takes a token as it is, and out of the link that carries it', () => {
    expect(tokenIn(' ey.J.x\n')).toBe('ey.J.x')
    expect(tokenIn('https://docs.example/share#cds_abc\n')).toBe('cds_abc')
    expect(tokenIn('https://docs.example/d/a#token=ey.J.x')).toBe('ey.J.x')
    expect(tokenIn('no#token')).toBe('no#token')
  })
})

describe('isShareToken', () => {
  it('knows a link by how it begins', () => {
    expect(isShareToken('cds_abc')).toBe(true)
    expect(isShareToken('eyJhbGciOiJIUzI1NiJ9.e30.x')).toBe(false)
  })
})

describe('safeNext', () => {
  it.each([
    ['/d/notes/today', `${HOME}/d/notes/today`],
    ['/?q=a', `${HOME}/?q=a`],
    [`${HOME}/d/a`, `${HOME}/d/a`],
    ['/d/a#token=stolen', `${HOME}/d/a`],
    [`${HOME}//evil.example/x`, `${HOME}//evil.example/x`],
  ])('goes on to %s', (next, address) => {
    expect(safeNext(next, HOME)).toBe(address)
  })

  it.each([
    null,
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    'https:evil.example',
    'javascript:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'https://docs.example@evil.example/',
    'https://docs.example.evil.example/',
    'http://docs.example/',
    'https://docs.example:8443/',
    'blob:https://evil.example/1',
    'https://[',
  ])('never follows %j off this server', (next) => {
    expect(new URL(safeNext(next, HOME)).origin).toBe(HOME)
  })
})

describe('signInAddress', () => {
  it('is our own page, which comes back', () => {
    expect(signInAddress(null, `${HOME}/d/a/b`)).toBe('/sign-in?next=%2Fd%2Fa%2Fb')
    expect(signInAddress(null, `${HOME}/`)).toBe('/sign-in')
  })

  it('is the operator’s place, with the absolute address to come back to', () => {
    expect(signInAddress('https://id.example/login?app=docs', `${HOME}/d/a#x`)).toBe(
      'https://id.example/login?app=docs&next=https%3A%2F%2Fdocs.example%2Fd%2Fa',
    )
  })

  it('is never a script', () => {
    expect(signInAddress('javascript:alert(1)', `${HOME}/d/a`)).toBe('/sign-in?next=%2Fd%2Fa')
  })
})
