/** The provider as a library: `new CollabdocProvider(url, name, ydoc, options)` for any Yjs application. */

export { CLOSE_CODES, type CloseAction, type CloseCode } from './protocol/errors'
export type { Environment, WebSocketConstructor, WebSocketLike } from './sync/environment'
export { CollabdocProvider, type ProviderOptions } from './sync/provider'
export type { Status } from './sync/status'
