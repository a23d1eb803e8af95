/**
 * A document as a file that people can read, made in the page: for when the server cannot be asked, or will not answer.
 *
 * Nothing that was written is left out: of a node that is unknown here, its text remains. Where the server answers, its
 * own exports are the better ones.
 */
import * as Y from 'yjs'
import { kindOfDocument } from './meta'

export interface Readable {
  readonly text: string
  /** Without a dot; empty where the document's name has its own. */
  readonly extension: string
}

export function readableCopy(doc: Y.Doc): Readable {
  if (kindOfDocument(doc) === 'text') return { text: doc.getText('content').toString(), extension: '' }
  return { text: blocksOf(doc.getXmlFragment('default')).join('\n\n') + '\n', extension: 'md' }
}

type Container = Y.XmlFragment | Y.XmlElement

/** One string for each block, its lines separated by "\n". */
function blocksOf(container: Container): string[] {
  const blocks: string[] = []
  let line = ''
  const endLine = (): void => {
    if (line !== '') blocks.push(line)
    line = ''
  }
  for (const child of container.toArray()) {
    // Text belongs into a paragraph; where another program put it beside one, it is read as one.
    if (child instanceof Y.XmlText || isBreak(child)) {
      line += inlineOf(child)
    } else if (child instanceof Y.XmlElement) {
      endLine()
      blocks.push(blockOf(child))
    }
  }
  endLine()
  return blocks
}

function blockOf(element: Y.XmlElement): string {
  switch (element.nodeName) {
    case 'paragraph':
      return escapeStart(lineOf(element))
    case 'heading':
      return `${'#'.repeat(levelOf(element))} ${lineOf(element).replaceAll('\\\n', ' ')}`
    case 'blockquote':
      return prefix(blocksOf(element).join('\n\n'), '> ', '> ')
    case 'bulletList':
      return listOf(element, () => '- ')
    case 'orderedList': {
      const start = Number(element.getAttribute('start') ?? 1) || 1
      return listOf(element, (at) => `${start + at}. `)
    }
    case 'codeBlock':
      return codeOf(element)
    case 'horizontalRule':
      return '---'
    default:
      return blocksOf(element).join('\n\n')
  }
}

function listOf(list: Y.XmlElement, marker: (at: number) => string): string {
  const items = list.toArray().filter((child): child is Y.XmlElement => child instanceof Y.XmlElement)
  return items.map((item, at) => prefix(itemOf(item), marker(at), ' '.repeat(marker(at).length))).join('\n')
}

/** A list inside an item follows its text closely; anything else is set apart. */
function itemOf(item: Y.XmlElement): string {
  const isList = item.toArray().map((child) => child instanceof Y.XmlElement && child.nodeName.endsWith('List'))
  return blocksOf(item).reduce((text, block, at) => (at === 0 ? block : text + (isList[at] ? '\n' : '\n\n') + block), '')
}

function codeOf(element: Y.XmlElement): string {
  const code = element
    .toArray()
    .map((child) => (child instanceof Y.XmlText ? plainOf(child) : '\n'))
    .join('')
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}${String(element.getAttribute('language') ?? '')}\n${code}\n${fence}`
}

function lineOf(element: Y.XmlElement): string {
  return element.toArray().map(inlineOf).join('')
}

function inlineOf(child: unknown): string {
  if (child instanceof Y.XmlText) return partsOf(child).map(markedOf).join('')
  if (isBreak(child)) return '\\\n'
  return child instanceof Y.XmlElement ? lineOf(child) : ''
}

function isBreak(child: unknown): boolean {
  return child instanceof Y.XmlElement && child.nodeName === 'hardBreak'
}

interface Part {
  readonly insert: unknown
  readonly attributes?: Readonly<Record<string, unknown>>
}

function partsOf(text: Y.XmlText): Part[] {
  return text.toDelta() as Part[]
}

function plainOf(text: Y.XmlText): string {
  return partsOf(text)
    .map(({ insert }) => (typeof insert === 'string' ? insert : ''))
    .join('')
}

function markedOf({ insert, attributes = {} }: Part): string {
  if (typeof insert !== 'string') return ''
  // Marks begin and end at words: "** a**" would mark nothing.
  const [, before = '', words = '', after = ''] = /^(\s*)([^]*?)(\s*)$/.exec(insert) ?? []
  if (words === '') return insert
  // Marks that may overlap carry a hash behind their name.
  const marks = new Map(Object.entries(attributes).map(([name, value]) => [name.replace(/--.{8}$/, ''), value]))
  let marked = marks.has('code') ? codeSpan(words) : escape(words)
  if (marks.has('strike')) marked = `~~${marked}~~`
  if (marks.has('italic')) marked = `*${marked}*`
  if (marks.has('bold')) marked = `**${marked}**`
  const href = (marks.get('link') as { href?: unknown } | null | undefined)?.href
  if (typeof href === 'string') marked = `[${marked}](<${href.replace(/[<>\n]/g, encodeURIComponent)}>)`
  return before + marked + after
}

function codeSpan(code: string): string {
  return code.includes('`') ? `\`\` ${code} \`\`` : `\`${code}\``
}

function escape(text: string): string {
  return text.replace(/[\\`*_[\]<~]/g, '\\$&')
}

/** What would make a block of another kind out of a paragraph. */
function escapeStart(line: string): string {
  return line.replace(/^(#{1,6}(?= )|>|[-+](?= ))/, '\\$1').replace(/^(\d+)([.)])(?= )/, '$1\\$2')
}

function levelOf(heading: Y.XmlElement): number {
  const level = Math.floor(Number(heading.getAttribute('level') ?? 1))
  return Number.isFinite(level) ? Math.min(6, Math.max(1, level)) : 1
}

/** `first` before the first line, `rest` before the others; empty lines stay without trailing space. */
function prefix(text: string, first: string, rest: string): string {
  return text
    .split('\n')
    .map((line, at) => `${at === 0 ? first : rest}${line}`.trimEnd())
    .join('\n')
}
