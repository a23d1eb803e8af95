/** The `cursor` field of an awareness state: two relative positions, as Yjs bindings write them. */

/** Whether a state that any peer may have written holds a cursor that can be resolved without an exception. */
export function hasCursor(state: unknown): boolean {
  const cursor = field(state, 'cursor')
  return isPosition(field(cursor, 'anchor')) && isPosition(field(cursor, 'head'))
}

function isPosition(value: unknown): boolean {
  if (!isObject(value)) return false
  const { type, item, tname, assoc } = value
  return (
    (isAbsent(type) || isId(type)) &&
    (isAbsent(item) || isId(item)) &&
    (isAbsent(tname) || typeof tname === 'string') &&
    (isAbsent(assoc) || typeof assoc === 'number') &&
    !(isAbsent(type) && isAbsent(item) && isAbsent(tname))
  )
}

function isId(value: unknown): boolean {
  return isObject(value) && isCount(value['client']) && isCount(value['clock'])
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isAbsent(value: unknown): boolean {
  return value === null || value === undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function field(value: unknown, key: string): unknown {
  return isObject(value) ? value[key] : undefined
}
