/**
 * A guest who signs in keeps what they typed: this tab remembers for which document, until they are back.
 *
 * Only this tab, since another guest of this device may be somebody else.
 */
const KEY = 'collabdoc.heir'

export function bequeath(name: string): void {
  try {
    sessionStorage.setItem(KEY, name)
  } catch {
    // Blocked storage keeps no copies either.
  }
}

/** True once for each `bequeath`. */
export function inherits(name: string): boolean {
  try {
    if (sessionStorage.getItem(KEY) !== name) return false
    sessionStorage.removeItem(KEY)
    return true
  } catch {
    return false
  }
}
