/** Other makers' providers, used as they tell; of the server they know the address alone, which the page's own has. */
import { HocuspocusProvider } from '@hocuspocus/provider'
import { WebsocketProvider } from 'y-websocket'

const asked = new URLSearchParams(location.search)

export function connect(doc) {
  const server = asked.get('server')
  const name = asked.get('document')
  const provider =
    asked.get('provider') === 'hocuspocus'
      ? new HocuspocusProvider({ url: `${server}/hocuspocus`, name, document: doc })
      : new WebsocketProvider(`${server}/yjs`, name, doc)
  provider.awareness.setLocalStateField('user', { name: asked.get('user'), color: '#c2480c' })
  return provider
}
