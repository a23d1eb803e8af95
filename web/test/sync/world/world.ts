/**
 * A language for scenarios: people with devices, a network and a server.
 *
 *     const alice = await world.person('alice')
 *     alice.types('hi')
 *     await world.settles()
 *     world.everyoneReads('hi')
 */

import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import * as Y from 'yjs'
import { expect } from 'vitest'

import type { Wake } from '../../../src/sync/environment'
import { CollabdocProvider, type ProviderOptions } from '../../../src/sync/provider'
import type { Status } from '../../../src/sync/status'
import { Clock } from './clock'
import { Network } from './network'
import { Server } from './server'

export const NOTES = 'notes'

globalThis.IDBKeyRange = IDBKeyRange

export class World {
  readonly clock = new Clock()
  readonly server = new Server()
  readonly network = new Network(this.server)
  readonly people: Person[] = []
  /** Devices say whether they have a network. */
  online = true
  hidden = false
  /** Between 0 and 1; the middle makes delays easy to reckon with. */
  random: () => number = () => 0.5
  readonly #listeners = new Set<(wake: Wake) => void>()
  #lastClient = 0

  /** Somebody opens the document; on a device of their own, or on one that they have already. */
  async person(name: string, { device = new Device(this), ...options }: PersonOptions = {}): Promise<Person> {
    const person = new Person(this, name, device, options)
    this.people.push(person)
    await this.settles()
    return person
  }

  nextClient(): number {
    this.#lastClient += 1
    return this.#lastClient
  }

  /** Everything under way arrives, and everything that is to be stored is stored. */
  async settles(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet += 1) {
      if (this.network.busy) quiet = 0
      this.network.deliverAll()
      await Promise.all(this.people.flatMap(({ provider }) => [provider.whenLoaded, provider.flush()]))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Time passes, and what that sets off settles. */
  async waits(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 250) {
      this.clock.advance(Math.min(250, left))
      await this.settles()
    }
  }

  async wakes(wake: Wake): Promise<void> {
    for (const listener of [...this.#listeners]) listener(wake)
    await this.settles()
  }

  /** kill -9 of the server, and its restart: what is not committed is gone, and so is what was under way. */
  serverDies(): void {
    this.network.reset()
    this.server.restart()
  }

  everyoneReads(text: string): void {
    expect(this.people.map((person) => person.text)).toEqual(this.people.map(() => text))
    expect(this.server.text(NOTES)).toBe(text)
  }

  async ends(): Promise<void> {
    await Promise.all(this.people.map(({ provider }) => provider.destroy()))
    this.server.destroy()
  }

  listen(listener: (wake: Wake) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

export interface PersonOptions extends ProviderOptions {
  device?: Device
  document?: string
  text?: string
}

/** A browser: its environment, and what it stores. */
export class Device {
  readonly indexedDB = new IDBFactory()

  constructor(private readonly world: World) {}

  /** One tab's environment: each has its own socket. */
  tab(): NonNullable<ProviderOptions['environment']> {
    const { world } = this
    return {
      now: world.clock.now,
      setTimeout: world.clock.setTimeout,
      clearTimeout: world.clock.clearTimeout,
      random: () => world.random(),
      WebSocket: world.network.webSocket(),
      indexedDB: this.indexedDB,
      isOnline: () => world.online,
      isHidden: () => world.hidden,
      onWake: (listener) => world.listen(listener),
    }
  }
}

export class Person {
  readonly doc = new Y.Doc()
  readonly provider: CollabdocProvider
  readonly statuses: Status[] = []

  constructor(
    private readonly world: World,
    readonly name: string,
    readonly device: Device,
    { document = NOTES, text, ...options }: Omit<PersonOptions, 'device'>,
  ) {
    this.doc.clientID = world.nextClient()
    if (text !== undefined) this.types(text)
    const environment = device.tab()
    this.provider = new CollabdocProvider('http://server', document, this.doc, { environment, ...options })
    this.provider.on('change', (status) => this.statuses.push(status))
  }

  get text(): string {
    return this.doc.getText('content').toString()
  }

  get status(): Status['kind'] {
    return this.provider.status.kind
  }

  types(text: string, at = this.doc.getText('content').length): void {
    this.doc.getText('content').insert(at, text)
  }

  deletes(at: number, length: number): void {
    this.doc.getText('content').delete(at, length)
  }

  /** The names of the others whom this person sees. */
  get sees(): unknown[] {
    const { awareness } = this.provider
    const others = [...awareness.getStates()].filter(([client]) => client !== this.doc.clientID)
    return others.map(([, state]) => state['name'])
  }

  /** The tab is gone at once, as a browser takes it. */
  async closesTab(): Promise<void> {
    this.world.people.splice(this.world.people.indexOf(this), 1)
    await this.provider.destroy()
    this.doc.destroy()
  }

  async reopens(options: Omit<PersonOptions, 'device'> = {}): Promise<Person> {
    return this.world.person(this.name, { device: this.device, ...options })
  }
}
