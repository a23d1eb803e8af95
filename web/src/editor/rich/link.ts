/** Links that are safe to open: whoever wrote them, in whichever client. */
import { isChangeOrigin } from '@tiptap/extension-collaboration'
import { Link } from '@tiptap/extension-link'
import type { Plugin } from '@tiptap/pm/state'
import { safeHref } from './href'

const OUTWARD = { target: '_blank', rel: 'noopener noreferrer nofollow' }

export const SafeLink = Link.extend({
  // A document's own attributes could name a window or drop `noopener`; only the checked address is taken from it.
  renderHTML({ HTMLAttributes }) {
    const href = safeHref(String(HTMLAttributes['href'] ?? ''))
    const title = HTMLAttributes['title'] as string | null | undefined
    return ['a', { ...OUTWARD, ...(href === null ? {} : { href }), ...(title ? { title } : {}) }, 0]
  },

  // Only the typist's editor turns an address into a link; otherwise everybody present would write the same change.
  addProseMirrorPlugins() {
    return (this.parent?.() ?? []).map(skipOthersChanges)
  },
}).configure({
  openOnClick: false,
  defaultProtocol: 'https',
  HTMLAttributes: OUTWARD,
  isAllowedUri: (href) => safeHref(href) !== null,
})

function skipOthersChanges(plugin: Plugin): Plugin {
  const append = plugin.spec.appendTransaction
  if (append) {
    plugin.spec.appendTransaction = function (transactions, before, after) {
      return transactions.some(isChangeOrigin) ? null : append.call(this, transactions, before, after)
    }
  }
  return plugin
}
