/** What a document's name says about it: its kind and the language to colour it in. */

export type DocumentKind = 'rich' | 'text'

export type Language =
  | 'css'
  | 'html'
  | 'javascript'
  | 'json'
  | 'jsx'
  | 'markdown'
  | 'plain'
  | 'python'
  | 'rust'
  | 'sql'
  | 'tsx'
  | 'typescript'
  | 'xml'
  | 'yaml'

// A map, not an object: a name may end in ".constructor".
const LANGUAGES = new Map<string, Language>(
  Object.entries({
    cjs: 'javascript',
    css: 'css',
    csv: 'plain',
    htm: 'html',
    html: 'html',
    js: 'javascript',
    json: 'json',
    jsonc: 'json',
    jsx: 'jsx',
    log: 'plain',
    markdown: 'markdown',
    md: 'markdown',
    mjs: 'javascript',
    py: 'python',
    pyi: 'python',
    rs: 'rust',
    sql: 'sql',
    svg: 'xml',
    text: 'plain',
    toml: 'plain',
    ts: 'typescript',
    tsv: 'plain',
    tsx: 'tsx',
    txt: 'plain',
    xml: 'xml',
    yaml: 'yaml',
    yml: 'yaml',
  }),
)

/** The language of the first of `names` whose extension is known; `plain` when none is. */
export function languageOf(...names: readonly string[]): Language {
  for (const name of names) {
    const language = LANGUAGES.get(extensionOf(name))
    if (language !== undefined) return language
  }
  return 'plain'
}

/** The kind that a name decides by its extension; null leaves the choice to a person. */
export function kindOfName(name: string): DocumentKind | null {
  return LANGUAGES.has(extensionOf(name)) ? 'text' : null
}

/** Prose wraps and needs no line numbers; code is the other way round. */
export function isProse(language: Language): boolean {
  return language === 'markdown' || language === 'plain'
}

function extensionOf(name: string): string {
  const file = name.slice(name.lastIndexOf('/') + 1)
  const dot = file.lastIndexOf('.')
  return dot < 0 ? '' : file.slice(dot + 1).toLowerCase()
}
