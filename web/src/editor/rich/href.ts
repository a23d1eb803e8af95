/** Which addresses a link may have. */

const SCHEMES = new Set(['http:', 'https:', 'mailto:', 'tel:'])

/** The address to use for what a person or a document says, or null where opening it would not be safe. */
export function safeHref(text: string): string | null {
  // Browsers drop control characters inside an address, so "java\nscript:" would run: drop them before looking.
  const href = text.replace(/[\p{Cc}\p{Cf}]/gu, '').trim()
  if (href === '') return null
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(href)?.[0].toLowerCase()
  if (scheme !== undefined) return SCHEMES.has(scheme) ? href : null
  return href.startsWith('\\') ? null : href
}

/** What somebody typed into the link field as an address: `example.com` means https, `a@b.c` means mail. */
export function hrefOfInput(text: string): string | null {
  const input = text.trim()
  if (/^[^\s/:@]+@[^\s/:@]+\.[^\s/:@]+$/.test(input)) return `mailto:${input}`
  if (/^[^\s/:?#.]+(\.[^\s/:?#.]+)+(:\d+)?([/?#]\S*)?$/.test(input)) return `https://${input}`
  if (/^localhost(:\d+)?([/?#]|$)/.test(input)) return `http://${input}`
  return safeHref(input)
}
