/** Chooses the page by its address; each page brings its own code. */
import './style/tokens.css'
import './style/base.css'
import { nameOfPath } from './ui/names'

const app = document.getElementById('app')
if (app === null) throw new Error('index.html has no element with the id "app"')
void open(app, location.pathname)

async function open(root: HTMLElement, path: string): Promise<void> {
  if (path === '/') {
    const { openListPage } = await import('./ui/list/page')
    openListPage(root)
    return
  }
  const name = nameOfPath(path)
  if (name === null) {
    const { openLostPage } = await import('./ui/lost')
    openLostPage(root)
    return
  }
  const { openDocumentPage } = await import('./ui/document/page')
  openDocumentPage(root, name)
}
