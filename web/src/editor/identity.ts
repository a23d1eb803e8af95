/**
 * Who I am: as my sign-in says, or else a name and a colour that I choose, kept in the browser's storage and shared by
 * its tabs.
 */
import { cleanName, PALETTE, randomProfile, type Profile } from './people'

const KEY = 'collabdoc.profile'

/** What a sign-in says of somebody; a colour that it leaves open is theirs to choose. */
export interface SignedIn {
  readonly id: string
  readonly name: string
  readonly color: string | null
}

export class Identity {
  #profile: Profile
  readonly #listeners = new Set<(profile: Profile) => void>()

  constructor(
    private readonly storage: Storage | null,
    readonly signedIn: SignedIn | null = null,
  ) {
    const stored = read(storage)
    this.#profile = stored ?? randomProfile(randomId(), Math.random)
    if (stored === null) this.#save()
  }

  get profile(): Profile {
    if (this.signedIn === null) return this.#profile
    const { id, name, color } = this.signedIn
    return { id, name: cleanName(name) || id, color: color ?? this.#profile.color }
  }

  get mayRename(): boolean {
    return this.signedIn === null
  }

  get mayRecolor(): boolean {
    return this.signedIn === null || this.signedIn.color === null
  }

  /** Takes a new name or colour; an empty name and a colour that is not ours change nothing. */
  change(wish: { name?: string; color?: string }): void {
    const name = (this.mayRename && cleanName(wish.name ?? '')) || this.#profile.name
    const color = PALETTE.some((entry) => entry.color === wish.color) ? wish.color : undefined
    this.#profile = { ...this.#profile, name, color: color ?? this.#profile.color }
    this.#save()
    this.#tell()
  }

  /** Calls `listener` on each change, also on one made in another tab. */
  onChange(listener: (profile: Profile) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Reads the storage again, after another tab wrote to it. */
  reload(): void {
    const stored = read(this.storage)
    if (stored === null) return
    this.#profile = stored
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.profile)
  }

  #save(): void {
    try {
      this.storage?.setItem(KEY, JSON.stringify(this.#profile))
    } catch {
      // Full or forbidden storage: the name lasts as long as the tab.
    }
  }
}

/** The identity of this browser, which follows what its other tabs choose; `signedIn` where somebody is. */
export function openIdentity(signedIn: SignedIn | null): Identity {
  const identity = new Identity(availableStorage(), signedIn)
  addEventListener('storage', (event) => {
    if (event.key === KEY) identity.reload()
  })
  return identity
}

// Not crypto.randomUUID(): a server reached by plain http on a local network is no secure context.
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function availableStorage(): Storage | null {
  try {
    return localStorage
  } catch {
    return null
  }
}

function read(storage: Storage | null): Profile | null {
  try {
    const value = JSON.parse(storage?.getItem(KEY) ?? 'null') as Partial<Profile> | null
    if (typeof value?.id !== 'string' || typeof value.name !== 'string' || typeof value.color !== 'string') return null
    const name = cleanName(value.name)
    return name === '' ? null : { id: value.id, name, color: value.color }
  } catch {
    return null
  }
}
