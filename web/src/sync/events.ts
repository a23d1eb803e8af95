/** What the provider tells; the first five are the events of y-websocket, which bindings and apps listen to. */

import type { CollabdocProvider } from './provider.js'
import { type Connection, connectionOf, NO_TROUBLE, type Status, type Trouble } from './status.js'

/** What a WebSocket says that ended without a close frame. */
const CONNECTION_BROKE = 1006

export interface CloseEvent {
  readonly code: number
  readonly reason: string
}

export type ProviderEvents = {
  status: (event: { status: Connection }) => void
  /** The document is as the server has it, or no longer. */
  sync: (synced: boolean) => void
  /** As `sync`. */
  synced: (synced: boolean) => void
  /** The document was closed: by the server, with a code of `CLOSE_CODES`, or because the connection is gone. */
  'connection-close': (event: CloseEvent, provider: CollabdocProvider) => void
  /** The connection broke, or never came about; `connection-close` follows. */
  'connection-error': (event: CloseEvent, provider: CollabdocProvider) => void
  /** Everything made here is committed on the server, or no longer. */
  saved: (saved: boolean) => void
  /** There is something else to tell a person. */
  change: (status: Status) => void
}

/** Tells the listeners of a provider what has changed; each is told the newest, also where another one changes it. */
export class News {
  #closedBy = NO_TROUBLE
  #connection: Connection
  #synced = false
  #saved = true
  #status: Status

  constructor(private readonly provider: CollabdocProvider) {
    this.#status = provider.status
    this.#connection = connectionOf(this.#status)
  }

  /** `closedBy` is why the document is closed now; another closing brings another object. */
  tell(closedBy: Trouble): void {
    const { provider } = this
    if (closedBy !== this.#closedBy) {
      this.#closedBy = closedBy
      if (closedBy !== NO_TROUBLE) this.#tellClose(closedBy)
    }
    const connection = connectionOf(provider.status)
    if (connection !== this.#connection) {
      this.#connection = connection
      provider.emit('status', [{ status: connection }])
    }
    // Before `sync`, so that whoever writes into a document that is empty then knows whether they may.
    const { status } = provider
    if (JSON.stringify(status) !== JSON.stringify(this.#status)) {
      this.#status = status
      provider.emit('change', [status])
    }
    const { synced } = provider
    if (synced !== this.#synced) {
      this.#synced = synced
      provider.emit('sync', [synced])
      provider.emit('synced', [synced])
    }
    const saved = !provider.unsaved
    if (saved !== this.#saved) {
      this.#saved = saved
      provider.emit('saved', [saved])
    }
  }

  #tellClose({ code, reason }: Trouble): void {
    if (code === CONNECTION_BROKE) this.provider.emit('connection-error', [{ code, reason }, this.provider])
    this.provider.emit('connection-close', [{ code, reason }, this.provider])
  }
}
