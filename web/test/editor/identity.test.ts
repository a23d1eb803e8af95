import { describe, expect, it } from 'vitest'
import { Identity } from '../../src/editor/identity'
import { PALETTE } from '../../src/editor/people'

function storageOf(entries: Record<string, string> = {}): Storage {
  const map = new Map(Object.entries(entries))
  return {
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => void map.set(key, value),
  } as Storage
}

describe('Identity', () => {
  it('makes up somebody, and stays them', () => {
    const storage = storageOf()
    const { profile } = new Identity(storage)
    expect(profile.name).toMatch(/^\w+ \w+$/)
    expect(new Identity(storage).profile).toEqual(profile)
  })

  it('keeps what one chooses, in every tab', () => {
    const storage = storageOf()
    const [here, there] = [new Identity(storage), new Identity(storage)]
    const heard: string[] = []
    there.onChange((profile) => heard.push(profile.name))
    here.change({ name: '  Ada ' })
    here.change({ color: PALETTE[3].color })
    there.reload()
    expect(heard).toEqual(['Ada'])
    expect(there.profile).toEqual(here.profile)
    expect(there.profile.color).toBe(PALETTE[3].color)
  })

  it('refuses an empty name and a foreign colour', () => {
    const identity = new Identity(storageOf())
    const before = identity.profile
    identity.change({ name: ' ', color: 'red' })
    expect(identity.profile).toEqual(before)
  })

  it('starts anew where the storage holds nonsense or is forbidden', () => {
    expect(new Identity(storageOf({ 'collabdoc.profile': '{"id":1' })).profile.name).not.toBe('')
    expect(new Identity(storageOf({ 'collabdoc.profile': '[]' })).profile.name).not.toBe('')
    const full = { getItem: () => null, setItem: () => { throw new Error('full') } } as unknown as Storage
    expect(new Identity(full).profile.name).not.toBe('')
    expect(new Identity(null).profile.name).not.toBe('')
  })

  it('is what the sign-in says, whatever was chosen here before', () => {
    const storage = storageOf()
    new Identity(storage).change({ name: 'Somebody' })
    const identity = new Identity(storage, { id: 'ana', name: 'Ana', color: '#123456' })
    identity.change({ name: 'The Boss', color: PALETTE[2].color })
    expect(identity.profile).toEqual({ id: 'ana', name: 'Ana', color: '#123456' })
    expect([identity.mayRename, identity.mayRecolor]).toEqual([false, false])
    expect(new Identity(storage).profile.name).toBe('Somebody')
  })

  it('lets one choose the colour that the sign-in leaves open', () => {
    const identity = new Identity(storageOf(), { id: 'ana', name: ' ', color: null })
    identity.change({ color: PALETTE[2].color })
    expect(identity.profile).toEqual({ id: 'ana', name: 'ana', color: PALETTE[2].color })
  })
})
