/** Who is present: names, initials and colours out of awareness, whose states any peer may have written. */

export interface Profile {
  /** The same in every tab of one browser, so that a person with three tabs is one person. */
  readonly id: string
  readonly name: string
  readonly color: string
}

export interface Person extends Profile {
  readonly self: boolean
  /** The server vouches for the name: it comes from a sign-in. */
  readonly verified: boolean
  readonly tabs: number
}

export const MAX_NAME = 40

/** Each reads as white-on-colour, and stands out on the light and on the dark page (a test measures it). */
export const PALETTE = [
  { name: 'Blue', color: '#2f62d9' },
  { name: 'Teal', color: '#0b7a75' },
  { name: 'Green', color: '#2f7d32' },
  { name: 'Olive', color: '#71720d' },
  { name: 'Amber', color: '#a85f00' },
  { name: 'Orange', color: '#c2480c' },
  { name: 'Red', color: '#cf2e3c' },
  { name: 'Pink', color: '#c9296f' },
  { name: 'Purple', color: '#a23bb5' },
  { name: 'Violet', color: '#7350d8' },
] as const

const ADJECTIVES = ['Quiet', 'Brave', 'Curious', 'Gentle', 'Merry', 'Nimble', 'Patient', 'Sunny', 'Swift', 'Witty', 'Calm', 'Bright']
const ANIMALS = ['Otter', 'Heron', 'Fox', 'Badger', 'Lynx', 'Robin', 'Marten', 'Falcon', 'Hare', 'Seal', 'Wren', 'Ibex']

/** A friendly name and a colour for somebody who has chosen neither. `random` gives numbers in [0, 1). */
export function randomProfile(id: string, random: () => number): Profile {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  return { id, name: `${pick(ADJECTIVES)} ${pick(ANIMALS)}`, color: pick(PALETTE).color }
}

/** One line of at most MAX_NAME characters; empty where nothing readable is left. */
export function cleanName(name: string): string {
  const line = name.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
  return [...line].slice(0, MAX_NAME).join('').trim()
}

/** Up to two letters: of the first and the last word. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/u).filter((word) => /[\p{L}\p{N}]/u.test(word))
  const first = words[0]
  const last = words.at(-1)
  if (first === undefined || last === undefined) return '?'
  const letters = words.length === 1 ? [firstLetter(first)] : [firstLetter(first), firstLetter(last)]
  return letters.join('').toLocaleUpperCase()
}

/** A colour that is safe to put into a style: a peer's own six digits, else one of ours picked by its number. */
export function safeColor(color: unknown, clientId: number): string {
  if (typeof color === 'string' && /^#[0-9a-f]{6}$/i.test(color)) return color.toLowerCase()
  return (PALETTE[clientId % PALETTE.length] ?? PALETTE[0]).color
}

/**
 * The colour itself, or the nearest shade of it that stands out on the light and on the dark page, and reads under a
 * name: a sign-in or another client may name any colour.
 */
export function standOut(color: string): string {
  const now = luminance(color)
  const [darkest, tooMiddling, middling, brightest] = SHADES
  if (now < darkest) return shade(color, 255, darkest)
  if (now > brightest) return shade(color, 0, brightest)
  return now > tooMiddling && now < middling ? shade(color, 0, tooMiddling) : color
}

/** Black or white, whichever reads better on `color`: peers with other clients choose colours of their own. */
export function inkOn(color: string): '#ffffff' | '#16171a' {
  return contrast(color, '#ffffff') >= contrast(color, '#16171a') ? '#ffffff' : '#16171a'
}

/** The contrast ratio of WCAG 2 between two six-digit colours, 1 to 21. */
export function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

/** Whether the server vouches for the state's name; it lets nobody else write that. */
export function isVerified(state: unknown): boolean {
  return field(field(state, 'user'), 'verified') === true
}

/** The profile inside one awareness state, made safe to show. */
export function profileOf(state: unknown, clientId: number): Profile {
  const user = field(state, 'user')
  const id = field(user, 'id')
  const name = field(user, 'name')
  return {
    id: typeof id === 'string' && id !== '' ? id.slice(0, 64) : `client-${clientId}`,
    name: (typeof name === 'string' && cleanName(name)) || 'Anonymous',
    color: standOut(safeColor(field(user, 'color'), clientId)),
  }
}

/**
 * Everybody present, each once however many tabs they have; oneself first, the rest by name.
 *
 * `isSignedIn` says of oneself what the server says of the others. Whoever merely claims the id of somebody who is signed
 * in remains a person apart.
 */
export function peoplePresent(
  states: ReadonlyMap<number, unknown>,
  ownClientId: number,
  { isSignedIn }: { isSignedIn: boolean },
): Person[] {
  const people = new Map<string, Person>()
  const vouched = (clientId: number): boolean => (clientId === ownClientId ? isSignedIn : isVerified(states.get(clientId)))
  const keyOf = (clientId: number, { id }: Profile): string => `${vouched(clientId) ? 'verified' : 'claimed'} ${id}`
  const own = states.get(ownClientId)
  const ownKey = own === undefined ? null : keyOf(ownClientId, profileOf(own, ownClientId))
  for (const [clientId, state] of states) {
    if (state === null || state === undefined) continue
    const profile = profileOf(state, clientId)
    const key = keyOf(clientId, profile)
    const known = people.get(key)
    // One's own tab decides how one is called; among other people's tabs the first does.
    const shown = known === undefined || clientId === ownClientId ? profile : known
    const tabs = (known?.tabs ?? 0) + 1
    people.set(key, { ...profile, ...shown, self: key === ownKey, verified: vouched(clientId), tabs })
  }
  return [...people.values()].sort(
    (a, b) => Number(b.self) - Number(a.self) || a.name.localeCompare(b.name) || a.id.localeCompare(b.id),
  )
}

function firstLetter(word: string): string {
  return word.match(/[\p{L}\p{N}]\p{M}*/u)?.[0] ?? ''
}

/** Between the first two white reads on a colour, between the last two black does; between those neither does well. */
const SHADES = [0.14, 0.181, 0.216, 0.295] as const

/** Mixes `color` with grey of 0 or 255 until it has about the wanted luminance. */
function shade(color: string, grey: number, wanted: number): string {
  const mixed = (share: number): string =>
    `#${[1, 3, 5]
      .map((at) => Number.parseInt(color.slice(at, at + 2), 16))
      .map((channel) => Math.round(channel + (grey - channel) * share).toString(16).padStart(2, '0'))
      .join('')}`
  let [near, far] = [0, 1]
  for (let step = 0; step < 10; step++) {
    const middle = (near + far) / 2
    const isBeyond = grey === 0 ? luminance(mixed(middle)) <= wanted : luminance(mixed(middle)) >= wanted
    if (isBeyond) far = middle
    else near = middle
  }
  return mixed(far)
}

function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
}
