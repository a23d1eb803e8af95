/**
 * The network between providers and the server: frames lie in it until somebody delivers them, and it can be cut,
 * frozen (a half-open line), or doubled.
 */

import type { WebSocketLike } from '../../../src/sync/environment'
import type { Peer, Server } from './server'
import { decodeClient, encodeServer } from './wire'

type Delivery = () => void

export class Network {
  readonly sockets = new Set<FakeSocket>()
  /** Addresses and subprotocols of every attempt to connect. */
  readonly attempts: { readonly url: string; readonly protocols: readonly string[] }[] = []
  /** Frames arrive nowhere and no socket is told. */
  frozen = false
  /** New sockets are refused. */
  down = false
  /** A refused socket says error, and no close: as in Node 20. */
  closesSilently = false
  readonly #queue: Delivery[] = []

  constructor(readonly server: Server) {}

  /** Whether anything is under way. */
  get busy(): boolean {
    return this.#queue.length > 0 && !this.frozen
  }

  /** A WebSocket class of this network. */
  webSocket(): new (url: string, protocols: string[]) => WebSocketLike {
    const network = this
    return class extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(network)
        network.attempts.push({ url, protocols })
      }
    }
  }

  /** Put something on its way; a socket's frames keep their order. */
  carry(delivery: Delivery): void {
    this.#queue.push(delivery)
  }

  deliverAll(): void {
    while (this.busy) this.deliverOne()
  }

  deliverOne(): void {
    if (!this.frozen) this.#queue.shift()?.()
  }

  /** Every socket dies, what was under way is lost, and nobody gets through until `restore`. */
  cut(): void {
    this.down = true
    this.reset()
  }

  /** Every socket dies, but new ones get through. */
  reset(): void {
    this.frozen = false
    this.#queue.length = 0
    for (const socket of [...this.sockets]) socket.die(1006, '')
  }

  restore(): void {
    this.down = false
    this.frozen = false
  }
}

export class FakeSocket implements WebSocketLike {
  binaryType = 'blob'
  onopen: ((event: never) => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number; reason: string }) => void) | null = null
  onerror: ((event: never) => void) | null = null
  /** What the client closed the socket with. */
  closedWith: number | undefined
  #state: 'connecting' | 'open' | 'closed' = 'connecting'
  readonly #network: Network
  /** The server's end. */
  readonly #peer: Peer

  constructor(network: Network) {
    this.#network = network
    this.#peer = { send: (message) => this.sendRaw(encodeServer(message)) }
    network.sockets.add(this)
    network.carry(() => this.#connect())
  }

  send(data: Uint8Array<ArrayBuffer>): void {
    const frame = data.slice()
    this.#network.carry(() => {
      if (this.#state === 'open') this.#network.server.receive(this.#peer, decodeClient(frame))
    })
  }

  /** Bytes to the client, whatever they are. */
  sendRaw(data: Uint8Array<ArrayBuffer> | string): void {
    this.#network.carry(() => {
      if (this.#state === 'open') this.onmessage?.({ data: typeof data === 'string' ? data : data.slice().buffer })
    })
  }

  close(code?: number): void {
    this.closedWith = code
    // What was sent before is still delivered.
    this.#network.carry(() => this.die(code ?? 1005, ''))
  }

  die(code: number, reason: string): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#network.sockets.delete(this)
    this.#network.server.disconnected(this.#peer)
    this.onclose?.({ code, reason })
  }

  #connect(): void {
    if (this.#state !== 'connecting') return
    if (this.#network.down) {
      if (this.#network.closesSilently) this.onclose = null
      this.onerror?.(undefined as never)
      this.die(1006, '')
      return
    }
    this.#state = 'open'
    this.#network.server.peers.add(this.#peer)
    this.onopen?.(undefined as never)
  }
}
