/** The provider as a library: `new CollabdocProvider(url, name, ydoc, options)` for any Yjs application. */

export { CLOSE_CODES, type CloseAction, type CloseCode } from './protocol/errors.js'
export type { Environment, WebSocketConstructor, WebSocketLike } from './sync/environment.js'
export type { CloseEvent, ProviderEvents } from './sync/events.js'
export { CollabdocProvider, type ProviderOptions } from './sync/provider.js'
export type { Connection, Status } from './sync/status.js'
