/** Reads `tests/vectors/*.json`, the golden bytes that Python and TypeScript share. */

export interface Vector {
  readonly name: string
  readonly hex: string
  /** Null for a message type that is to be ignored. */
  readonly message: Record<string, unknown> | null
}

export interface Malformed {
  readonly name: string
  readonly hex: string
  readonly code: number
}

/** Who wrote the frame; a client, where nothing is said. */
interface Sided {
  readonly side?: 'server'
}

interface Vectors {
  readonly client: readonly Vector[]
  readonly server: readonly Vector[]
  readonly tolerated: readonly (Vector & Sided)[]
  readonly malformed: readonly (Malformed & Sided)[]
}

const files = import.meta.glob<Vectors>('../../../tests/vectors/native.json', { eager: true, import: 'default' })

/** What a client writes and reads. */
export function vectors(): Vectors {
  const [file] = Object.values(files)
  if (file === undefined) throw new Error('tests/vectors/native.json is missing')
  const fromServer = ({ side }: Sided): boolean => side === 'server'
  return {
    client: file.client.map(inCamelCase),
    server: file.server.map(inCamelCase),
    tolerated: file.tolerated.filter(fromServer).map(inCamelCase),
    malformed: file.malformed.filter(fromServer),
  }
}

export function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

export function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function inCamelCase({ name, hex: frame, message }: Vector): Vector {
  if (message === null) return { name, hex: frame, message }
  const entries = Object.entries(message).map(([key, value]) => [
    key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    fromJson(value),
  ])
  return { name, hex: frame, message: Object.fromEntries(entries) as Record<string, unknown> }
}

function fromJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJson)
  if (typeof value === 'object' && value !== null && 'hex' in value) return bytes(value.hex as string)
  return value
}
