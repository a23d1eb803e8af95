/**
 * What the provider takes from the world it runs in: clock, chance, timers, network and the page's life.
 *
 * A browser has all of it, Node some, a test brings its own.
 */

export type Timer = ReturnType<typeof setTimeout> | number

/** The part of the WebSocket interface that is used; the browser's, Node's and the `ws` package's all fit. */
export interface WebSocketLike {
  binaryType: string
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(data: Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike

/** `online`, `offline`: the network changed; `visible`: somebody looks at the page, which may come from a cache. */
export type Wake = 'online' | 'offline' | 'visible'

export interface Environment {
  now(): number
  random(): number
  setTimeout(callback: () => void, delayMs: number): Timer
  clearTimeout(timer: Timer | undefined): void
  readonly WebSocket: WebSocketConstructor | undefined
  readonly indexedDB: IDBFactory | undefined
  /** False only where the device says that it has no network. */
  isOnline(): boolean
  isHidden(): boolean
  /** Call `listener` when the page or the network wakes; gives the function that stops it. */
  onWake(listener: (wake: Wake) => void): () => void
}

export const ENVIRONMENT: Environment = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer),
  get WebSocket() {
    return globalThis.WebSocket as WebSocketConstructor | undefined
  },
  get indexedDB() {
    return globalThis.indexedDB as IDBFactory | undefined
  },
  // Node has a navigator without onLine from version 21 on.
  isOnline: () => globalThis.navigator?.onLine !== false,
  isHidden: () => globalThis.document?.visibilityState === 'hidden',
  onWake: (listener) => {
    if (typeof window === 'undefined') return () => {}
    const abort = new AbortController()
    const { signal } = abort
    window.addEventListener('online', () => listener('online'), { signal })
    window.addEventListener('offline', () => listener('offline'), { signal })
    window.addEventListener('pageshow', () => listener('visible'), { signal })
    document.addEventListener(
      'visibilitychange',
      () => {
        if (document.visibilityState === 'visible') listener('visible')
      },
      { signal },
    )
    return () => abort.abort()
  },
}

const environments = new WeakMap<Partial<Environment>, Environment>()

/** The same part of a world gives the same environment, so that its providers share their lines. */
export function environmentOf(part: Partial<Environment> | undefined): Environment {
  if (part === undefined) return ENVIRONMENT
  let environment = environments.get(part)
  if (environment === undefined) {
    environment = Object.setPrototypeOf({ ...part }, ENVIRONMENT) as Environment
    environments.set(part, environment)
  }
  return environment
}
