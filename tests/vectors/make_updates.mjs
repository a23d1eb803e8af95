// Writes updates.json and awareness.json: what real Yjs clients send, and what nobody should. Run it with Node from anywhere.
//
// honest: `base` are updates that the server has taken before, `hex` is the next one and `state_vector` what Yjs has
// after it. hostile: the same, with the class of error (of collabdoc.errors) that refuses it.

import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const Y = require('yjs')
const { Awareness, encodeAwarenessUpdate, removeAwarenessStates } = require('y-protocols/awareness')

const hex = (bytes) => Buffer.from(bytes).toString('hex')

// What honest clients send

function replica(clientID, ...updates) {
  const doc = new Y.Doc()
  doc.clientID = clientID
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

/** The updates that an edit makes, one a transaction. */
function edits(doc, edit) {
  const updates = []
  const hear = (update) => updates.push(update)
  doc.on('update', hear)
  edit(doc)
  doc.off('update', hear)
  return updates
}

const honest = []

/** One vector for each update that the edit makes, each based on those before it. */
function story(name, doc, edit) {
  const taken = doc.store.clients.size > 0 ? [Y.encodeStateAsUpdate(doc)] : []
  edits(doc, edit).forEach((update, index) => {
    vector(`${name} (${index + 1})`, [...taken], update)
    taken.push(update)
  })
  vector(`${name} (whole)`, [], Y.encodeStateAsUpdate(doc))
  if (taken.length > 1) vector(`${name} (merged)`, [], Y.mergeUpdates(taken))
}

function vector(name, base, update) {
  const state = hex(Y.encodeStateVector(replica(1, ...base, update)))
  honest.push({ name, base: base.map(hex), hex: hex(update), state_vector: state })
}

story('text', replica(11), (doc) => {
  const text = doc.getText('content')
  text.insert(0, 'hello world')
  text.insert(5, ', dear')
  text.insert(0, 'ä ぁ 😀 👨‍👩‍👧 ')
  text.delete(3, 4)
  text.insert(text.length, '\u0000\u2028\ufeff')
})

story('half a surrogate pair, typed', replica(12), (doc) => doc.getText('content').insert(0, 'a\ud83d'))

story('formatting', replica(13), (doc) => {
  const text = doc.getText('content')
  text.insert(0, 'hello world', { bold: true, link: { href: 'https://example.org/?q="ä"' } })
  text.format(0, 5, { bold: null, size: 1.5e300, tags: ['a', { b: [] }], '': -0 })
  text.insertEmbed(3, { image: 'data:,', width: 300, alt: null, deep: [[[{}]]] })
  text.applyDelta([{ retain: 2 }, { delete: 3 }, { insert: '😀', attributes: { italic: {} } }])
})

story('map', replica(14), (doc) => {
  const meta = doc.getMap('meta')
  meta.set('title', 'First')
  meta.set('title', 'Second')
  meta.set('kind', 'rich')
  meta.set('schema', 1)
  meta.delete('title')
  meta.set('title', 'Third')
})

story('every value of any', replica(15), (doc) => {
  const array = doc.getArray('values')
  array.insert(0, [null, true, false, 0, -1, 63, 64, 2 ** 31, 2 ** 53 - 1, -(2 ** 53 - 1), 0.5, 1e308, -0])
  array.push([Infinity, -Infinity, NaN, '', 'x'.repeat(300), {}, [], { a: [{ b: undefined, c: [10n, -(2n ** 63n)] }] }])
  array.push([new Uint8Array([1, 2, 255]), new Uint8Array()])
})

story('nested types', replica(16), (doc) => {
  doc.transact(() => {
    const list = doc.getArray('list')
    const map = new Y.Map()
    list.push([map, new Y.Array(), new Y.Text('inside')])
    map.set('text', new Y.Text('deep'))
    map.set('again', new Y.Map([['key', new Y.Array()]]))
  })
  doc.getArray('list').get(0).get('text').insert(4, 'er')
  doc.getArray('list').delete(0, 1)
})

story('XML', replica(17), (doc) => {
  const fragment = doc.getXmlFragment('default')
  const heading = new Y.XmlElement('heading')
  const text = new Y.XmlText('Title')
  heading.setAttribute('level', 2)
  heading.insert(0, [text])
  fragment.insert(0, [heading, new Y.XmlElement('paragraph'), new Y.XmlFragment()])
  text.format(0, 5, { strong: {} })
  heading.setAttribute('level', 3)
  heading.removeAttribute('level')
  fragment.delete(0, 1)
})

const withSubdocument = replica(18)
const subdocument = edits(withSubdocument, (doc) => {
  doc.getMap('docs').set('a', new Y.Doc({ guid: 'guid-a', autoLoad: true, meta: { x: 1 } }))
  doc.getMap('docs').delete('a')
})
vector('what is left of a subdocument that was deleted', [], Y.encodeStateAsUpdate(withSubdocument))

story('collected garbage', replica(19), (doc) => {
  const list = doc.getArray('list')
  for (let index = 0; index < 5; index++) list.push([new Y.Text('x'.repeat(index + 1))])
  list.delete(1, 3)
  list.push(['after'])
})

story('undone and redone', replica(20), (doc) => {
  const text = doc.getText('content')
  const undo = new Y.UndoManager(text, { captureTimeout: 0 })
  text.insert(0, 'one two')
  text.delete(0, 4)
  undo.undo()
  undo.redo()
})

story('the largest client id', replica(2 ** 32 - 1), (doc) => doc.getText('content').insert(0, 'x'))

{
  // Typed on, and sent whole again: the server has a part of the struct.
  const typing = replica(41)
  const inside = new Y.XmlText()
  typing.getXmlFragment('default').insert(0, [inside])
  const base = Y.encodeStateAsUpdate(typing)
  const taken = edits(typing, () => {
    inside.insert(0, 'he')
    inside.insert(2, 'llo')
  })
  vector('an edit of which the server has a part', [base, taken[0]], Y.mergeUpdates(taken))
  vector('a document of which the server has a part of an edit', [base, taken[0]], Y.encodeStateAsUpdate(typing))
}

{
  // Three who type at once, and one who was away and comes back with a difference.
  const root = Y.encodeStateAsUpdate((() => {
    const doc = replica(30)
    doc.getText('content').insert(0, 'shared 😀 ground')
    return doc
  })())
  const people = [replica(33, root), replica(31, root), replica(32, root)]
  const own = people.map((doc, index) =>
    edits(doc, () => {
      const text = doc.getText('content')
      text.insert(7, `<${index}>`)
      text.insert(9, 'é')
      text.delete(0, 3)
      doc.getMap('meta').set('title', `T${index}`)
    }),
  )
  const log = [root, ...own.flat()]
  log.slice(1).forEach((update, index) => vector(`at once (${index + 1})`, log.slice(0, index + 1), update))
  const all = Y.mergeUpdates(log)
  vector('at once (merged)', [], all)
  vector('at once (merged, again)', [all], all)
  const everyone = replica(34, all)
  vector('at once (whole)', [], Y.encodeStateAsUpdate(everyone))
  const server = replica(35, root, ...own[0])
  vector('a difference', [root, ...own[0]], Y.encodeStateAsUpdate(everyone, Y.encodeStateVector(server)))
  vector('a difference of merged updates', [root], Y.diffUpdate(all, Y.encodeStateVector(replica(36, root))))
  const before = Y.encodeStateVector(everyone)
  everyone.getText('content').insert(4, 'on top')
  vector('a difference of one edit', [all], Y.encodeStateAsUpdate(everyone, before))
  vector('an update that was taken before', [root, ...own[0]], own[0][0])
  vector('nothing', [root], Y.encodeStateAsUpdate(replica(37)))
}

// What nobody sends. The builders write what they are told, right or wrong.

const text = new TextEncoder()
const uint = (value) => {
  const out = []
  let left = BigInt(value)
  for (; left > 127n; left >>= 7n) out.push(Number(left & 127n) | 128)
  return [...out, Number(left)]
}
const string = (value) => [...uint(text.encode(value).length), ...text.encode(value)]
const root = (name = 't') => [1, ...string(name)]
const parent = (client, clock) => [0, ...uint(client), ...uint(clock)]
const id = (client, clock) => [...uint(client), ...uint(clock)]
const section = (client, clock, ...structs) => [...uint(structs.length), ...id(client, clock), ...structs.flat()]
const deletes = (ranges) => {
  const clients = Object.entries(ranges)
  const parts = clients.map(([client, list]) => [...uint(client), ...uint(list.length), ...list.flatMap(([a, b]) => id(a, b))])
  return [...uint(clients.length), ...parts.flat()]
}
const update = (sections, ranges = {}) => Uint8Array.from([...uint(sections.length), ...sections.flat(), ...deletes(ranges)])
const typed = (value, where = root()) => [4, ...where, ...string(value)]
const nested = (open, close, depth) => open.repeat(depth) + '1' + close.repeat(depth)

const typist = update([section(1, 0, typed('hello world'))])
const base = update([section(1, 0, typed('hello'), [0x84, ...id(1, 4), ...string(' world')], [0xc4, ...id(1, 4), ...id(1, 5), ...string('XY')])])
const list = update([section(3, 0, [8, ...root('a'), 3, 125, 1, 125, 2, 125, 3])])
const pair = update([section(1, 0, typed('a😀b'))])

const hostile = []
const refuse = (name, error, bytes, ...taken) => hostile.push({ name, base: taken.map(hex), hex: hex(bytes), error })
const from = (digits) => Uint8Array.from(Buffer.from(digits, 'hex'))

refuse('apply never returns', 'ProtocolError', from('02010114840107015102010c4401090151c40102010c015100'), base)
refuse('reading the text takes all memory', 'ProtocolError', from('0201010c010101740303010c0401017401514401040151440104015100'), base)
refuse('a snapshot that nothing reads', 'Malformed', from('0101090082010300010100'), base)
refuse('get_update panics', 'ProtocolError', from('010304fbffffff0f87010a01a401020568656c6c6fa40101016d010200'), base)

refuse('no bytes', 'Malformed', from(''))
refuse('an end within the sections', 'Malformed', from('01'))
refuse('no delete set', 'Malformed', from('00'))
refuse('bytes behind the end', 'Malformed', from('000000'))
refuse('a count without sections', 'Malformed', from('ffffffff0f'))
refuse('an endless integer', 'Malformed', Uint8Array.from(Array(64).fill(255)))
refuse('an empty section', 'Malformed', update([section(1, 0)]))
refuse('two sections of a client', 'Malformed', update([section(1, 0, typed('a')), section(1, 1, typed('b'))]))
refuse('a clock past 2^31 - 1', 'Malformed', update([section(1, 0, [0, ...uint(2 ** 31)])]))
refuse('clocks that add up past 2^31 - 1', 'Malformed', update([section(1, 0, [0, ...uint(2 ** 31 - 1)], typed('a'))]))
refuse('a length that no JavaScript number holds', 'Malformed', update([section(1, 0, [0, ...uint(2n ** 60n)])]))
refuse('garbage of length 0', 'Malformed', update([section(1, 0, [0, 0])]))
refuse('garbage with an origin', 'Malformed', update([section(2, 0, [0x80, ...id(1, 0), 1])]), typist)
refuse('deleted content of length 0', 'Malformed', update([section(1, 0, [1, ...root(), 0])]))
refuse('an empty string', 'Malformed', update([section(1, 0, typed(''))]))
refuse('a string that is not UTF-8', 'Malformed', update([section(1, 0, [4, ...root(), 2, 0xc3, 0x28])]))
refuse('a string with half a surrogate pair', 'Malformed', update([section(1, 0, [4, ...root(), 3, 0xed, 0xa0, 0x80])]))
refuse('a root whose name is not UTF-8', 'Malformed', update([section(1, 0, [4, 1, 1, 0xff, ...string('a')])]))
refuse('a parent of no kind', 'Malformed', update([section(1, 0, [4, 2, ...string('t'), ...string('a')])]))
refuse('no values', 'Malformed', update([section(1, 0, [8, ...root(), 0])]))
refuse('a value of no kind', 'Malformed', update([section(1, 0, [8, ...root(), 1, 115])]))
refuse('values nested 65 deep', 'Malformed', update([section(1, 0, [8, ...root(), 1, ...Array(65).fill([117, 1]).flat(), 126])]))
refuse('a value that ends in the middle', 'Malformed', from('010101000801017401' + '7b0000'))
refuse('a shared type of no kind', 'Malformed', update([section(1, 0, [7, ...root(), 7])]))
refuse('an XML hook', 'Malformed', update([section(1, 0, [7, ...root(), 5, ...string('hook')])]))
refuse('content of no kind', 'Malformed', update([section(1, 0, [11, ...root(), 1])]))
refuse('JSON content, which yrs misreads', 'Malformed', update([section(1, 0, [2, ...root(), 1, ...string('1')])]))
refuse('a format in a map, which makes yrs panic', 'Malformed', update([section(1, 0, [0x26, ...root('meta'), ...string('title'), ...string('b'), ...string('1')])]))
refuse('text in a map', 'Malformed', update([section(1, 0, [0x24, ...root('meta'), ...string('title'), ...string('ab')])]))
refuse('a subdocument', 'Malformed', subdocument[0])
refuse('a subdocument that is deleted at once', 'Malformed', Y.mergeUpdates(subdocument))
const element = section(9, 0, [7, ...root('x'), 3, ...string('p')])
refuse('the rest of an edit in another parent than its beginning', 'Malformed', update([element, section(1, 0, typed('hello world', parent(9, 0)))]), update([section(1, 0, typed('hello'))]))
refuse('the rest of an edit behind another than its beginning', 'Malformed', update([section(1, 5, [0x84, ...id(1, 0), ...string('abc')])]), update([section(1, 0, typed('hello'), [0x84, ...id(1, 4), ...string('ab')])]))
const intoMany = (count) => {
  const over = (number) => [0xa8, ...id(9, number), 1, 125, 2]
  const inside = (number) => [8, ...parent(9, number), 1, 125, 3]
  const numbers = Array.from({ length: count }, (_, number) => number)
  const value = (number) => [0x28, ...root('m'), ...string(`k${number}`), 1, 125, 1]
  const edit = section(1, 0, ...numbers.map(over), ...numbers.map(inside), inside(0), inside(0), inside(0))
  return [update([edit]), update([section(9, 0, ...numbers.map(value))])]
}
refuse('an edit in pieces into a value that it writes over', 'Malformed', ...intoMany(1))
refuse('an edit in pieces into many values that it writes over', 'Malformed', ...intoMany(11))
for (const [name, json] of Object.entries({
  'no JSON': '{',
  'JSON that is undefined': 'undefined',
  'JSON that is not a number': 'NaN',
  'JSON with half a surrogate pair': '"\\ud83d"',
  'JSON with a number past all': '1e999',
  'JSON with an integer past all': '9'.repeat(400),
  'JSON nested 65 deep': nested('[', ']', 65),
  'JSON nested 66 deep in both ways': nested('[{"a":', '}]', 33),
})) {
  refuse(`${name}, embedded`, 'Malformed', update([section(1, 0, [5, ...root(), ...string(json)])]))
  refuse(`${name}, as a format`, 'Malformed', update([section(1, 0, [6, ...root(), ...string('b'), ...string(json)])]))
}
refuse('an origin cuts a surrogate pair', 'Malformed', update([section(2, 0, [0x84, ...id(1, 1), ...string('X')])]), pair)
refuse('a right origin cuts a surrogate pair', 'Malformed', update([section(2, 0, [0x44, ...id(1, 2), ...string('X')])]), pair)
refuse('a surrogate pair of the same update is cut', 'Malformed', update([section(1, 0, typed('😀')), section(2, 0, [0x84, ...id(1, 0), ...string('X')])]))
refuse('a delete begins in a surrogate pair', 'Malformed', update([], { 1: [[2, 2]] }), pair)
refuse('a delete ends in a surrogate pair', 'Malformed', update([], { 1: [[0, 2]] }), pair)
refuse('a section begins in a surrogate pair', 'Malformed', update([section(1, 2, typed('xyz'))]), pair)
refuse('a surrogate pair lies across the known clock', 'Malformed', update([section(1, 0, typed('a😀b'))]), update([section(1, 0, typed('ab'))]))

refuse('a part of the delete set that is empty', 'Malformed', update([], { 1: [] }), typist)
refuse('two parts of the delete set for a client', 'Malformed', from('000201010001' + '01010101'), typist)
refuse('an empty range is deleted', 'Malformed', update([], { 1: [[2, 0]] }), typist)
refuse('deleted ranges overlap', 'Malformed', update([], { 1: [[0, 3], [2, 3]] }), typist)
refuse('deleted ranges descend', 'Malformed', update([], { 1: [[4, 1], [0, 1]] }), typist)
refuse('a delete set cut off', 'Malformed', from('00010101'), typist)

refuse('a section that begins too late', 'MissingDependencies', update([section(1, 12, typed('a'))]), typist)
refuse('a gap', 'MissingDependencies', update([section(2, 0, typed('a'), [10, 1], typed('b'))]), typist)
refuse('an origin that is not there', 'MissingDependencies', update([section(2, 0, [0x84, ...id(1, 11), ...string('a')])]), typist)
refuse('a right origin that is not there', 'MissingDependencies', update([section(2, 0, [0x44, ...id(9, 0), ...string('a')])]), typist)
refuse('a parent that is not there', 'MissingDependencies', update([section(2, 0, typed('a', parent(9, 0)))]), typist)
refuse('an origin that is the struct itself', 'MissingDependencies', update([section(2, 0, [0x84, ...id(2, 0), ...string('a')])]), typist)
refuse('an origin further on in the section', 'MissingDependencies', update([section(2, 0, [0x84, ...id(2, 1), ...string('a')], typed('b'))]), typist)
refuse('two sections that wait for each other', 'MissingDependencies', update([section(2, 0, [0x84, ...id(3, 0), ...string('a')]), section(3, 0, [0x84, ...id(2, 0), ...string('b')])]))
refuse('a delete of what is not there', 'MissingDependencies', update([], { 1: [[10, 2]] }), typist)
refuse('a delete in an unknown client', 'MissingDependencies', update([], { 9: [[0, 1]] }), typist)

// Legal, and the content of an array never ends for pycrdt: that is read in the helper process only.
vector('text in an array', [list], from('0101090084030204f09f988000'))

// Presence

const someone = new Awareness(replica(4_000_000_000))
clearInterval(someone._checkInterval)
someone.setLocalState({ user: { name: 'Zoë 😀', color: '#30bced' }, cursor: null })
const present = encodeAwarenessUpdate(someone, [someone.clientID])
someone.setLocalStateField('cursor', { anchor: 3, head: 5 })
const moved = encodeAwarenessUpdate(someone, [someone.clientID])
removeAwarenessStates(someone, [someone.clientID], 'left')
const removed = encodeAwarenessUpdate(someone, [someone.clientID])
const awareness = { client: someone.clientID, present: hex(present), moved: hex(moved), removed: hex(removed) }

const write = (name, value) => writeFileSync(new URL(name, import.meta.url), `${JSON.stringify(value, null, 1)}\n`)
write('updates.json', { honest, hostile })
write('awareness.json', awareness)
