/** Reads `tests/vectors/native.json`, the golden bytes that Python and TypeScript share. */

export interface Vector {
  readonly name: string
  readonly hex: string
  readonly message: Record<string, unknown>
}

interface Vectors {
  readonly client: readonly Vector[]
  readonly server: readonly Vector[]
}

const files = import.meta.glob<Vectors>('../../../tests/vectors/native.json', { eager: true, import: 'default' })

export function vectors(): Vectors {
  const [file] = Object.values(files)
  if (file === undefined) throw new Error('tests/vectors/native.json is missing')
  return { client: file.client.map(inCamelCase), server: file.server.map(inCamelCase) }
}

export function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

export function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function inCamelCase({ name, hex: frame, message }: Vector): Vector {
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
