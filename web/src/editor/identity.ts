/** Who I am on this device: a name and a colour, kept in the browser's storage and shared by its tabs. */
import { cleanName, PALETTE, randomProfile, type Profile } from './people'

const KEY = 'collabdoc.profile'

export class Identity {
  #profile: Profile
  readonly #listeners = new Set<(profile: Profile) => void>()

  constructor(private readonly storage: Storage | null) {
    const stored = read(storage)
    this.#profile = stored ?? randomProfile(randomId(), Math.random)
    if (stored === null) this.#save()
  }

  get profile(): Profile {
    return this.#profile
  }

  /** Takes a new name or colour; an empty name and a colour that is not ours change nothing. */
  change(wish: { name?: string; color?: string }): void {
    const name = cleanName(wish.name ?? '') || this.#profile.name
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
    for (const listener of this.#listeners) listener(this.#profile)
  }

  #save(): void {
    try {
      this.storage?.setItem(KEY, JSON.stringify(this.#profile))
    } catch {
      // Full or forbidden storage: the name lasts as long as the tab.
    }
  }
}

/** The identity of this browser, which follows what its other tabs choose. */
export function openIdentity(): Identity {
  const identity = new Identity(availableStorage())
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
