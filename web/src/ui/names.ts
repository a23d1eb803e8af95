/** Document names: what may stand in an address, and how a person's words become one. */

const MAX_NAME = 200
const NAME = /^[\p{L}\p{N}._~/-]{1,200}$/u

export function isDocumentName(name: string): boolean {
  return NAME.test(name) && name.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}

/** The document that a page's path names; null where it names none. */
export function nameOfPath(path: string): string | null {
  if (!path.startsWith('/d/')) return null
  try {
    const name = decodeURIComponent(path.slice('/d/'.length))
    return isDocumentName(name) ? name : null
  } catch {
    return null
  }
}

/** A name out of a title: "Plan für Mai!" gives "Plan-für-Mai"; null where nothing usable is left. */
export function nameOfTitle(title: string): string | null {
  const name = title
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}._~/-]+/gu, '-')
    .replace(/\/+/g, '/')
    .replace(/^[-./]+|[-./]+$/g, '')
    .slice(0, MAX_NAME)
  return isDocumentName(name) ? name : null
}

/** The name as something to call a document by: one that the server made up says nothing to anybody. */
export function shownName(name: string): string {
  return looksMadeUp(name) ? 'Untitled' : name
}

/** The server makes up twelve characters of base64url; few names of people change case and class as often. */
function looksMadeUp(name: string): boolean {
  if (!/^[\w-]{12}$/.test(name) || !/[A-Z]/.test(name)) return false
  const kinds = [...name].map((char) => (/[a-z]/.test(char) ? 'a' : /[A-Z]/.test(char) ? 'A' : /[0-9]/.test(char) ? '0' : '-'))
  return kinds.filter((kind, at) => at > 0 && kind !== kinds[at - 1]).length >= 5
}
