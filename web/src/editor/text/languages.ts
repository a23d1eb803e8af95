/** The languages that CodeMirror colours, each fetched only when a document needs it. */
import type { Extension } from '@codemirror/state'
import type { Language } from '../kinds'

export async function loadLanguage(language: Language): Promise<Extension> {
  switch (language) {
    case 'css':
      return (await import('@codemirror/lang-css')).css()
    case 'html':
      return (await import('@codemirror/lang-html')).html()
    case 'javascript':
      return (await import('@codemirror/lang-javascript')).javascript()
    case 'json':
      return (await import('@codemirror/lang-json')).json()
    case 'jsx':
      return (await import('@codemirror/lang-javascript')).javascript({ jsx: true })
    case 'markdown': {
      const { markdown, markdownLanguage } = await import('@codemirror/lang-markdown')
      return markdown({ base: markdownLanguage })
    }
    case 'plain':
      return []
    case 'python':
      return (await import('@codemirror/lang-python')).python()
    case 'rust':
      return (await import('@codemirror/lang-rust')).rust()
    case 'sql':
      return (await import('@codemirror/lang-sql')).sql()
    case 'tsx':
      return (await import('@codemirror/lang-javascript')).javascript({ jsx: true, typescript: true })
    case 'typescript':
      return (await import('@codemirror/lang-javascript')).javascript({ typescript: true })
    case 'xml':
      return (await import('@codemirror/lang-xml')).xml()
    case 'yaml':
      return (await import('@codemirror/lang-yaml')).yaml()
  }
}
