/** Chooses the page by its address; each page brings its own code. */
import './style/tokens.css'
import './style/base.css'
import { readAccount } from './ui/account'
import { isShareToken, readFragment, type Fragment } from './ui/address'
import { nameOfPath } from './ui/names'

const app = document.getElementById('app')
if (app === null) throw new Error('index.html has no element with the id "app"')
const root = app

void open(takeFragment())
// An address that differs from the shown one by its fragment alone loads no page.
addEventListener('hashchange', () => {
  const fragment = takeFragment()
  if (fragment.token !== null) void open(fragment)
})

/** Reads the fragment; one with a token leaves the address before anything else happens. */
function takeFragment(): Fragment {
  const fragment = readFragment(location.hash)
  if (fragment.token !== null) history.replaceState(null, '', location.pathname + location.search)
  return fragment
}

async function open({ token, next }: Fragment): Promise<void> {
  const { pathname, search } = location
  if (pathname === '/share' || (token !== null && isShareToken(token))) {
    const { openSharePage } = await import('./ui/share/page')
    openSharePage(root, token)
    return
  }
  if (pathname === '/sign-in' || token !== null) {
    const { openSignInPage } = await import('./ui/sign-in/page')
    const own = pathname === '/sign-in' ? (next ?? new URLSearchParams(search).get('next')) : pathname + search
    await openSignInPage(root, { token, next: own })
    return
  }
  // Asked while the code of the page is still on its way.
  const account = readAccount()
  if (pathname === '/') {
    const { openListPage } = await import('./ui/list/page')
    openListPage(root, await account)
    return
  }
  const name = nameOfPath(pathname)
  if (name === null) {
    const { openLostPage } = await import('./ui/lost')
    openLostPage(root)
    return
  }
  const { openDocumentPage } = await import('./ui/document/page')
  await openDocumentPage(root, name, account)
}
