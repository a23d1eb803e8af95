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
