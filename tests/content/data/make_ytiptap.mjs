// Writes ytiptap.json beside this file: updates as the editor's own libraries make them. Run by hand, from anywhere,
// when the editor's version changes; the tests read only the JSON.
import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'

const require = createRequire(new URL('../../../web/package.json', import.meta.url))
const Y = require('yjs')
const { getSchema, Node: NodeExtension, Mark } = require('@tiptap/core')
const { StarterKit } = require('@tiptap/starter-kit')
const { Node } = require('@tiptap/pm/model')
const { updateYFragment, yXmlFragmentToProseMirrorRootNode } = require('@tiptap/y-tiptap')

const own = getSchema([StarterKit])
const foreign = getSchema([
  StarterKit,
  NodeExtension.create({ name: 'callout', group: 'block', content: 'block+', addAttributes: () => ({ tone: { default: 'info' } }) }),
  NodeExtension.create({ name: 'mention', group: 'inline', inline: true, content: 'text*' }),
  Mark.create({ name: 'highlight', addAttributes: () => ({ color: { default: 'red' } }) }),
  Mark.create({ name: 'comment', excludes: '', addAttributes: () => ({ id: { default: 1 } }) }),
])

const text = (text, ...marks) => ({ type: 'text', text, ...(marks.length ? { marks: marks.map((m) => (typeof m === 'string' ? { type: m } : m)) } : {}) })
const p = (...content) => ({ type: 'paragraph', ...(content.length ? { content } : {}) })
const li = (...content) => ({ type: 'listItem', content })
const doc = (...content) => ({ type: 'doc', content })
const link = (href) => ({ type: 'link', attrs: { href, target: '_blank', rel: 'noopener noreferrer nofollow', class: null, title: null } })

function replica(clientID) {
  const ydoc = new Y.Doc()
  ydoc.clientID = clientID
  return ydoc
}

function write(ydoc, schema, json) {
  const fragment = ydoc.getXmlFragment('default')
  const node = Node.fromJSON(schema, json)
  node.check()
  ydoc.transact(() => updateYFragment(ydoc, fragment, node, { mapping: new Map(), isOMark: new Map() }))
  return node.toJSON()
}

function describe(ydoc) {
  ydoc.getMap('meta').set('title', 'From the editor')
  ydoc.getMap('meta').set('kind', 'rich')
  ydoc.getMap('meta').set('schema', 1)
}

const cases = []
function add(name, ydoc, json) {
  cases.push({ name, update: Buffer.from(Y.encodeStateAsUpdate(ydoc)).toString('hex'), doc: json })
}

function made(name, schema, json) {
  const ydoc = replica(1)
  describe(ydoc)
  add(name, ydoc, write(ydoc, schema, json))
}

made('every node', own, doc(
  { type: 'heading', attrs: { level: 2 }, content: [text('Title')] },
  p(text('one'), { type: 'hardBreak' }, text('two')),
  { type: 'bulletList', content: [li(p(text('a')), { type: 'orderedList', attrs: { start: 3, type: 'a' }, content: [li(p(text('b')))] }), li(p())] },
  { type: 'blockquote', content: [p(text('said'))] },
  { type: 'codeBlock', attrs: { language: 'python' }, content: [text('if a:\n\tb\n')] },
  { type: 'horizontalRule' },
  { type: 'codeBlock', attrs: { language: null } },
  p(),
))
made('every mark', own, doc(p(
  text('plain '), text('bold', 'bold'), text('both', 'bold', 'italic'), text(' struck', 'strike'), text(' under', 'underline'),
  text('code', 'code'), text('link', link('https://example.org/?a=1&b=2')), text('all', link('/x'), 'bold', 'italic', 'strike', 'underline'),
)))
made('characters of every width', own, doc(p(
  text('a\u0301e\u{1F600}', 'bold'), text('\u{1F469}\u200D\u{1F469}\u200D\u{1F467}\u4E2D'), text('\u{10348}\u00DF', 'italic'), text('\u0644\u0645'),
)))
made('unknown nodes and marks', foreign, doc(
  { type: 'callout', attrs: { tone: 'warning' }, content: [p(text('beware')), { type: 'horizontalRule' }] },
  p(text('ask '), { type: 'mention', content: [text('Ann')] }, text('!', { type: 'highlight', attrs: { color: 'blue' } }, 'bold')),
  p(text('twice', { type: 'comment', attrs: { id: 1 } }, { type: 'comment', attrs: { id: 2 } }, 'italic')),
))

const ann = replica(1)
const ben = replica(2)
describe(ann)
write(ann, own, doc(p(text('Hello world')), p(text('second'))))
Y.applyUpdate(ben, Y.encodeStateAsUpdate(ann))
write(ann, own, doc(p(text('Hello '), text('big', 'bold'), text(' world')), p(text('second'))))
write(ben, own, doc({ type: 'heading', attrs: { level: 1 }, content: [text('New')] }, p(text('Hello world')), p(text('second'))))
Y.applyUpdate(ann, Y.encodeStateAsUpdate(ben))
add('two people at once', ann, yXmlFragmentToProseMirrorRootNode(ann.getXmlFragment('default'), own).toJSON())

const odd = replica(1)
const fragment = odd.getXmlFragment('default')
const heading = new Y.XmlElement('heading')
heading.setAttribute('level', '3')
const words = new Y.XmlText()
words.insert(0, 'words')
words.insertEmbed(2, { image: 'x.png' })
const inner = new Y.XmlText()
inner.insert(0, 'inner ')
words.insertEmbed(0, inner)
words.format(0, 2, { bold: true, made_up: { deep: { er: [1] } } })
heading.insert(0, [words])
const loose = new Y.XmlText()
loose.insert(0, 'loose')
fragment.insert(0, [heading, loose, new Y.XmlElement('bulletList'), new Y.XmlElement('image')])
add('nothing in its place', odd, null)

writeFileSync(new URL('ytiptap.json', import.meta.url), `${JSON.stringify(cases, null, 1)}\n`)
