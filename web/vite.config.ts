/**
 * Builds the pages that the Python server hands out.
 *
 * 1. Everything hashed lands in `assets/`, so the server may call that folder immutable; the few files of `public/` keep
 *    their names and must be revalidated.
 * 2. The Content-Security-Policy allows no inline script: nothing here may emit one.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'

const TEXT = new Set(['.js', '.css', '.html', '.svg', '.json', '.webmanifest', '.txt', '.map'])
const toBrotli = promisify(brotliCompress)
const toGzip = promisify(gzip)

export default defineConfig({
  base: '/static/',
  plugins: [precompress()],
  build: {
    outDir: '../collabdoc/static',
    emptyOutDir: true,
    target: 'es2022',
    // light-dark() and popovers, which the pages use, need these or newer.
    cssTarget: ['chrome123', 'firefox125', 'safari17.5'],
    // The polyfill and small data: URLs would both be inlined; browsers of our target need neither.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
})

/**
 * Lays `X.br` and `X.gz` beside each text asset X, at the highest level, so that the server never compresses.
 *
 * A variant that is not smaller than its source is not written; the server takes whichever exists.
 */
function precompress(): Plugin {
  let folder = ''
  return {
    name: 'collabdoc-precompress',
    apply: 'build',
    configResolved(config) {
      folder = join(config.root, config.build.outDir)
    },
    // Not in closeBundle, which also runs after a build that failed, and would cover its error with one of its own.
    async writeBundle() {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true })
      const files = entries.filter((entry) => entry.isFile() && TEXT.has(extname(entry.name)))
      await Promise.all(files.map((entry) => compress(join(entry.parentPath, entry.name))))
    },
  }
}

async function compress(path: string): Promise<void> {
  const source = await readFile(path)
  const params = {
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: source.length,
  }
  const [br, gz] = await Promise.all([toBrotli(source, { params }), toGzip(source, { level: 9 })])
  if (br.length < source.length) await writeFile(`${path}.br`, br)
  if (gz.length < source.length) await writeFile(`${path}.gz`, gz)
}
